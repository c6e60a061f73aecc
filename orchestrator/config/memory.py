"""Whether the experts that sleep fit into the accelerators that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.config.kinds import VllmSettings
from orchestrator.config.problems import Path, Problem, choices, shown
from orchestrator.config.settings import Config, ExpertSettings
from orchestrator.config.tree import Block, locate

__all__ = ["memory_problems", "pinned_sleepers", "sleepers"]


def sleepers(experts: Mapping[str, ExpertSettings]) -> dict[str, VllmSettings]:
    """Those that may be put to sleep, by id."""
    return {
        expert: settings
        for expert, settings in experts.items()
        if isinstance(settings, VllmSettings) and settings.sleep and settings.resident_gb is not None
    }


def pinned_sleepers(config: Config, experts: Mapping[str, ExpertSettings]) -> frozenset[str]:
    """Of these, those that never sleep: as configured, and the general category's first, or its base."""
    sleeping = sleepers(experts)
    pinned = {expert for expert, settings in sleeping.items() if settings.pin}
    general = config.categories.get(config.general)
    if general is not None:
        first = experts.get(general.experts[0])
        base = first.base if isinstance(first, VllmSettings) else None
        pinned.add(base or general.experts[0])
    return frozenset(pinned & sleeping.keys())


def memory_problems(root: Block, config: Config, experts: Mapping[str, ExpertSettings]) -> Iterator[Problem]:
    """Accelerators that are not there, and experts that fit into none beside those that never sleep.

    config: with whatever experts; `experts` are looked at.
    """
    sleeping = sleepers(experts)
    capacity = config.residency.awake_gb
    pinned = pinned_sleepers(config, experts)
    for expert, settings in sleeping.items():
        place = settings.accelerator
        if place not in capacity:
            message = f"no accelerator {shown(place)} in residency.awake_gb{choices(place, capacity)}"
            yield _problem(root, ("experts", expert, "accelerator"), message)
            continue
        kept = [other for other in pinned if other != expert and sleeping[other].accelerator == place]
        need_gb = _gb(settings) + sum(_gb(sleeping[other]) for other in kept)
        if need_gb > capacity[place]:
            beside = f" beside {', '.join(sorted(kept))}, which never sleep{'s' * (len(kept) == 1)}," if kept else ""
            message = f"it takes {_gb(settings):g} GB{beside} and {place!r} has {capacity[place]:g} GB awake"
            yield _problem(root, ("experts", expert, "weights_gb"), message)


def _gb(settings: VllmSettings) -> float:
    return settings.resident_gb or 0.0


def _problem(root: Block, path: Path, message: str) -> Problem:
    found = locate(root, path)
    return Problem(found.key or found.node.mark, path, message)
