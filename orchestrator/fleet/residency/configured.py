"""What a configuration says of residency: the bytes of its experts, who is called after whom, and who is pinned."""

from __future__ import annotations

from orchestrator.config import Config
from orchestrator.config.kinds import LocalSettings, RetrieverSettings, VllmSettings
from orchestrator.config.settings import ExpertSettings
from orchestrator.fleet.residency.tiers import Footprint, Footprints

__all__ = ["follows_of", "footprints_of", "names_of", "pinned_of"]

BYTES_PER_PARAMETER = 2
"""16-bit weights."""


def footprints_of(config: Config, *, expert_bytes: int, adapter_bytes: int) -> Footprints:
    """Models by `active_params_b` in 16 bits, or `expert_bytes`; adapters on their base; others take nothing."""
    return Footprints(
        _footprint(expert, settings, expert_bytes=expert_bytes, adapter_bytes=adapter_bytes)
        for expert, settings in config.experts.items()
    )


def _footprint(expert: str, settings: ExpertSettings, *, expert_bytes: int, adapter_bytes: int) -> Footprint:
    if isinstance(settings, VllmSettings) and settings.base is not None:
        return Footprint(expert, adapter_bytes, adapter_bytes, settings.base)
    if not isinstance(settings, VllmSettings | LocalSettings):
        return Footprint(expert, 0, 0)
    size = expert_bytes
    if settings.active_params_b:
        size = round(settings.active_params_b * 1e9 * BYTES_PER_PARAMETER)
    return Footprint(expert, size, size)


def follows_of(config: Config) -> dict[str, frozenset[str]]:
    """Subsequent experts by their preliminaries: readers after retrievers, the verdict's expert after those who draft.

    An expert that answers a category by itself is not subsequent: it is asked without anybody before it.
    """
    found: dict[str, set[str]] = {}
    for expert, settings in config.experts.items():
        if isinstance(settings, RetrieverSettings) and settings.reader is not None:
            found.setdefault(settings.reader, set()).add(expert)
    for name, category in config.categories.items():
        fusion = config.fusion_of(name)
        if fusion.verdict is not None:
            drafting = category.experts if category.plan == "fuse" else ()
            found.setdefault(fusion.verdict, set()).update(drafting, fusion.experts)
    direct = {expert for category in config.categories.values() for expert in category.experts}
    return {expert: frozenset(before - {expert}) for expert, before in found.items() if expert not in direct}


def names_of(config: Config) -> dict[str, str]:
    """Whom a name in a trace stands for: an expert itself, a category its first expert."""
    categories = {name: category.experts[0] for name, category in config.categories.items()}
    return {**categories, **{expert: expert for expert in config.experts}}


def pinned_of(config: Config) -> frozenset[str]:
    """The first expert of the general category, where everything goes that nobody knows."""
    return frozenset(config.categories[config.general].experts[:1])
