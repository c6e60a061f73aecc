"""Policies and capacities side by side: every pair replayed in order and in time, and the knees of the curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.fleet.residency.knee import knee
from orchestrator.fleet.residency.simulate import Outcome, Scenario, simulate

__all__ = ["Cell", "Shortfall", "knees", "shortfalls", "sweep"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One policy at one capacity. fits: how many experts the awake tier holds, the largest first.

    in_order: the replay without time, for the hit ratio; in_time: for everything that takes seconds.
    """

    policy: str
    awake_bytes: int
    fits: int
    in_order: Outcome
    in_time: Outcome


@dataclass(frozen=True, slots=True)
class Shortfall:
    """How dependency-aware stands at one capacity: hit ratio less LRU's, and its share of Belady's."""

    awake_bytes: int
    over_lru: float
    of_belady: float


def sweep(
    scenario: Scenario,
    *,
    policies: Sequence[str],
    capacities: Iterable[int],
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Cell]:
    """All pairs, capacities ascending; `progress(what, done, total)` after every thousand requests."""
    wanted = sorted(set(capacities))
    whole = len(wanted) * len(policies) * 2 * len(scenario.trace)
    replays = 0

    def report(done: int) -> None:
        if progress is not None:
            progress("replaying", replays * len(scenario.trace) + done, whole)

    cells: list[Cell] = []
    for capacity in wanted:
        sized = replace(scenario, tiers=replace(scenario.tiers, awake_bytes=capacity))
        for policy in policies:
            outcomes: list[Outcome] = []
            for version in (sized.in_order(), sized):
                outcomes.append(simulate(version, policy, progress=report))
                replays += 1
                report(0)
            cells.append(Cell(policy, capacity, _fits(sized), *outcomes))
    return cells


def knees(
    cells: Iterable[Cell], value: Callable[[Cell], float], *, side: Literal["below", "above"]
) -> dict[str, int | None]:
    """By policy, the capacity in bytes at which its curve of `value` bends to that side of its chord."""
    curves: dict[str, list[Cell]] = {}
    for cell in cells:
        curves.setdefault(cell.policy, []).append(cell)
    found: Mapping[str, float | None] = {
        policy: knee([cell.awake_bytes for cell in curve], [value(cell) for cell in curve], side=side)
        for policy, curve in curves.items()
    }
    return {policy: None if capacity is None else round(capacity) for policy, capacity in found.items()}


def shortfalls(cells: Iterable[Cell]) -> list[Shortfall]:
    """By capacity, where dependency-aware, LRU and Belady were all replayed."""
    ratios = {(cell.awake_bytes, cell.policy): cell.in_order.hit_ratio for cell in cells}
    found: list[Shortfall] = []
    for capacity in sorted({capacity for capacity, _ in ratios}):
        ours, lru, bound = (ratios.get((capacity, policy)) for policy in ("dependency", "lru", "belady"))
        if ours is not None and lru is not None and bound:
            found.append(Shortfall(capacity, ours - lru, ours / bound))
    return found


def _fits(scenario: Scenario) -> int:
    left, fitting = scenario.tiers.awake_bytes, 0
    sizes = (scenario.footprints[expert].awake_bytes for expert in scenario.knowledge.experts)
    for size in sorted(sizes, reverse=True):
        left -= size
        if left < 0:
            break
        fitting += 1
    return fitting
