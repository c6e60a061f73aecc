"""What quality costs: the sequence of mappings from the cheapest to the best, none of them wasteful. Numbers alone.

Maximising credit less a price of cost, sum_c w_c (s[c,k] - lambda g[c,k]), falls apart into the categories: for each
one only the columns on its concave hull of cost and credit are ever chosen. As lambda falls from infinity to 0 the
categories step up their hulls, the step that buys most credit for its cost first. These steps, merged, are all the
mappings that are best for some lambda; no solver is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from routers.mapping.shrinkage import Ints, Reals

__all__ = ["Point", "frontier"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Point:
    """A mapping on the frontier. cost: mean a query. credit: its value. changes: (category, column) since the last."""

    cost: float
    credit: float
    changes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """From one column of a category to the next on its hull. slope: credit bought a unit of cost."""

    slope: float
    category: int
    column: int


def frontier(
    credit: Reals, cost: Reals | None, *, shares: Reals, best: Ints, keeps: Callable[[Ints], bool]
) -> tuple[Point, ...]:
    """By rising cost and credit; the first changes every category, the last is `best`.

    credit, cost: [c, k], credit -inf where a column may not be chosen. best: the mapping to end at, [c]. keeps: whether
    a mapping [c] is within all limits; those that are not are left out. Without costs there is `best` alone.
    """
    every = np.arange(len(best))
    top = Point(
        cost=0.0 if cost is None else float(shares @ cost[every, best]),
        credit=float(shares @ credit[every, best]),
        changes=tuple(enumerate(best.tolist())),
    )
    if cost is None:
        return (top,)
    starts, steps = _walk(credit, cost)
    points: list[Point] = []
    state, shown = starts.copy(), np.full(len(best), -1)
    for step in [None, *steps]:
        if step is not None:
            state[step.category] = step.column
        point = Point(
            cost=float(shares @ cost[every, state]),
            credit=float(shares @ credit[every, state]),
            changes=_changes(shown, state),
        )
        if point.cost < top.cost and point.credit < top.credit and keeps(state):
            points.append(point)
            shown = state.copy()
    return (*points, Point(cost=top.cost, credit=top.credit, changes=_changes(shown, best)))


def _changes(before: Ints, after: Ints) -> tuple[tuple[int, int], ...]:
    return tuple((int(category), int(after[category])) for category in np.flatnonzero(before != after))


def _walk(credit: Reals, cost: Reals) -> tuple[Ints, list[_Step]]:
    """The cheapest column of each category, and all steps from there, the steepest first."""
    starts = np.zeros(len(credit), dtype=np.intp)
    steps: list[_Step] = []
    for category in range(len(credit)):
        hull = _hull(credit[category], cost[category])
        starts[category] = hull[0]
        for before, after in pairwise(hull):
            rise = credit[category, after] - credit[category, before]
            steps.append(_Step(float(rise / (cost[category, after] - cost[category, before])), category, after))
    return starts, sorted(steps, key=lambda step: -step.slope)


def _hull(credit: Reals, cost: Reals) -> list[int]:
    """Columns [k] at the corners of the rising concave hull, by rising cost; of equal ones the first."""
    corners: list[int] = []
    for column in np.lexsort((-credit, cost)).tolist():
        if not np.isfinite(credit[column]) or (corners and credit[column] <= credit[corners[-1]]):
            continue
        while len(corners) > 1 and _slope(credit, cost, *corners[-2:]) <= _slope(credit, cost, corners[-1], column):
            corners.pop()
        corners.append(column)
    return corners


def _slope(credit: Reals, cost: Reals, before: int, after: int) -> float:
    run = cost[after] - cost[before]
    return float((credit[after] - credit[before]) / run) if run > 0 else np.inf
