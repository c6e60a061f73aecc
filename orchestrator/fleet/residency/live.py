"""The residency of a configuration: its experts that sleep, by their servers."""

from __future__ import annotations

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.config.memory import pinned_sleepers, sleepers
from orchestrator.experts.vllm.sleep import VllmSleep
from orchestrator.fleet.residency.configured import follows_of
from orchestrator.fleet.residency.policies import POLICIES, Knowledge
from orchestrator.fleet.residency.residency import GB, Residency
from orchestrator.fleet.residency.seats import Seat, Seats

__all__ = ["residency_of"]


def residency_of(config: Config, *, observing: bool = False) -> Residency:
    """Not in service yet; without any expert that sleeps it gives every lease at once. observing: it moves nobody."""
    rules = config.residency
    sleeping = sleepers(config.experts)
    pinned = pinned_sleepers(config, config.experts)
    seats = Seats(
        [
            Seat(
                expert,
                round((settings.resident_gb or 0.0) * GB),
                place=settings.accelerator,
                level=settings.sleep_level,
                pinned=expert in pinned,
            )
            for expert, settings in sleeping.items()
        ],
        capacity={place: round(gb * GB) for place, gb in rules.awake_gb.items()},
        asleep=None if rules.asleep_gb is None else round(rules.asleep_gb * GB),
    )
    return Residency(
        seats,
        {expert: VllmSleep(expert, settings) for expert, settings in sleeping.items()},
        rules=rules,
        policy=POLICIES[rules.policy](_knowledge(config, list(sleeping))),
        bases=_bases(config),
        observing=observing,
    )


def _bases(config: Config) -> dict[str, str]:
    experts = config.experts.items()
    return {expert: each.base for expert, each in experts if isinstance(each, VllmSettings) and each.base is not None}


def _knowledge(config: Config, sleeping: list[str]) -> Knowledge:
    """Who follows whom among those that sleep, an adapter being its base."""
    bases = _bases(config)
    follows: dict[str, set[str]] = {}
    for expert, before in follows_of(config).items():
        home = bases.get(expert, expert)
        follows.setdefault(home, set()).update(bases.get(other, other) for other in before)
    known = {
        expert: frozenset(before & set(sleeping)) - {expert} for expert, before in follows.items() if expert in sleeping
    }
    return Knowledge(sleeping, known)
