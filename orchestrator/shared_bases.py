"""Adapters by the base whose servers hold them: how many there are, whether all fit, and what it costs if not.

Knows the configuration and, where something was learned, which part of the traffic each of them gets; no server.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from routers.mapping.learned import LearnedMapping

__all__ = ["SharedBase", "reload_share", "shared_bases", "traffic_of"]

STEPS = 100
FITS = "as queries are routed, no more are asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBase:
    """One base and its adapters, in the order of the configuration.

    at_run_time: those of them that are loaded when they are needed; the servers have the others from their command
    line. max_adapters: so many of the former at a time on each server, None for no limit. traffic: which part of all
    queries the base and each adapter get, 0 to 1; empty where nothing was learned. reloads: the part of the requests
    for adapters loaded at run time that has to load its own first; None where that is not known.
    """

    base: str
    servers: int
    adapters: tuple[str, ...]
    at_run_time: tuple[str, ...]
    max_adapters: int | None
    traffic: Mapping[str, float]
    reloads: float | None

    @property
    def crowded(self) -> bool:
        """Whether they do not all fit."""
        return self.max_adapters is not None and len(self.at_run_time) > self.max_adapters

    def line(self) -> str:
        """All of it, for people."""
        text = f"{self.base} holds {', '.join(self.adapters)}"
        if not self.crowded:
            return text
        text += f"; {len(self.at_run_time)} are loaded at run time, max_adapters {self.max_adapters}"
        if self.reloads is None:
            return text
        return f"{text}: " + (f"about {self.reloads:.0%} of their requests load one first" if self.reloads else FITS)


def shared_bases(config: Config, learned: LearnedMapping | None = None) -> list[SharedBase]:
    """Every base that has adapters, in the order of the configuration."""
    homes: dict[str, list[str]] = {}
    for expert, settings in config.experts.items():
        base = settings.shares()
        if base is not None:
            homes.setdefault(base, []).append(expert)
    traffic = traffic_of(learned) if learned is not None else {}
    return [_shared(config, base, homes[base], traffic) for base in config.experts if base in homes]


def traffic_of(learned: LearnedMapping) -> dict[str, float]:
    """Which part of all queries each expert gets first or drafts for, by the mapping and the traffic it was learned on.

    Empty where the mapping does not know its traffic.
    """
    traffic: dict[str, float] = {}
    for category, share in learned.shares.items():
        plan = learned.plans[category]
        for expert in plan.experts if plan.kind == "fuse" else plan.experts[:1]:
            traffic[expert] = traffic.get(expert, 0.0) + share
    return traffic


def reload_share(rates: Sequence[float], room: int) -> float:
    """The part of requests that finds its adapter unloaded, where the longest unused makes room; 0 to 1.

    rates: of each adapter's requests, in any unit, taken to come independently of each other. The approximation of Che,
    Tung and Wang 2002 (IEEE J. Selected Areas in Communications 20): one is there if it was used within a time in which
    `room` different ones are.
    """
    asked = [rate / sum(rates) for rate in rates if rate > 0]
    if len(asked) <= room:
        return 0.0
    low, high = 0.0, 1.0
    while _there(asked, high) < room:
        high *= 2.0
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _there(asked, middle) < room else (low, middle)
    return sum(rate * math.exp(-rate * high) for rate in asked)


def _there(rates: Sequence[float], time: float) -> float:
    """How many are used within a time, on average."""
    return sum(1.0 - math.exp(-rate * time) for rate in rates)


def _shared(config: Config, base: str, adapters: Sequence[str], traffic: Mapping[str, float]) -> SharedBase:
    home = config.experts[base]
    most, servers = (home.max_adapters, len(home.replicas)) if isinstance(home, VllmSettings) else (None, 0)
    blocks = {expert: config.experts[expert] for expert in adapters}
    at_run_time = [
        expert for expert, block in blocks.items() if isinstance(block, VllmSettings) and block.path is not None
    ]
    reloads = 0.0 if most is None or len(at_run_time) <= most else None
    if most is not None and reloads is None and traffic:
        reloads = reload_share([traffic.get(expert, 0.0) for expert in at_run_time], most)
    return SharedBase(
        base=base,
        servers=servers,
        adapters=tuple(adapters),
        at_run_time=tuple(at_run_time),
        max_adapters=most,
        traffic={expert: traffic.get(expert, 0.0) for expert in (base, *adapters)} if traffic else {},
        reloads=reloads,
    )
