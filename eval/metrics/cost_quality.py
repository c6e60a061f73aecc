"""What quality costs: the frontier of experts, areas under it, and what a router between two of them saves.

A point is a mean cost (any unit, >= 0) and a mean quality (0 to 1) over the same queries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import IntArray, Reals

__all__ = [
    "Calls",
    "Hull",
    "arena_score",
    "convex_hull",
    "frontier",
    "gap_closed",
    "strong_calls",
    "zero_router",
]

ARENA_BETA = 0.1
ARENA_USD_PER_1000 = (0.0044, 200.0)
"""The costs of 1,000 queries between which RouterArena places a router, on a log scale."""


def gap_closed(routed: float, best_single: float, oracle: float) -> float:
    """(routed - best single) / (oracle - best single): 1 is the oracle, below 0 worse than no routing.

    NaN where the oracle has nothing to add.
    """
    gap = oracle - best_single
    return (routed - best_single) / gap if gap > 0 else math.nan


def arena_score(quality: float, *, usd_per_query: float) -> float:
    """RouterArena's score (arXiv 2510.00202, `RouteWorks/RouterArena:llm_evaluation/run.py`), 0 to 1.

    S = (1 + b) A C / (b A + C) with accuracy A, b = 0.1 and C = (log2 200 - log2 c) / (log2 200 - log2 0.0044), c the
    cost of 1,000 queries in $ held within these bounds. Their code refuses c <= 0; here an expert that costs nothing
    gets the best C, 1.
    """
    if not 0 <= quality <= 1 or not usd_per_query >= 0:
        message = f"no arena score for quality {quality} at {usd_per_query} $ a query"
        raise ValueError(message)
    low, high = ARENA_USD_PER_1000
    cost = min(max(usd_per_query * 1000, low), high)
    cheapness = (math.log2(high) - math.log2(cost)) / (math.log2(high) - math.log2(low))
    weighed = ARENA_BETA * quality + cheapness
    return (1 + ARENA_BETA) * quality * cheapness / weighed if weighed > 0 else 0.0


def frontier(costs: Reals, qualities: Reals) -> IntArray:
    """Positions of the points [m] that no other beats in one way without losing in the other, by rising cost.

    Of equal points the first stands for all.
    """
    order = np.lexsort((-qualities, costs))
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(qualities[order])[:-1]))
    kept: IntArray = order[qualities[order] > best_before]
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class Hull:
    """The best quality that a mixture of points reaches at each cost: concave, never falling.

    costs, qualities: its corners [h], both strictly rising. cost_range: the lowest and the highest cost of all points.
    """

    costs: Reals
    qualities: Reals
    cost_range: tuple[float, float]

    def quality_at(self, costs: Reals) -> Reals:
        """The quality at each cost [c].

        Beyond the last corner it stays. Below the first it falls to 0 at no cost: all that is cheaper than the
        cheapest point is to leave some queries without an answer.
        """
        x, y = self.costs, self.qualities
        if x[0] > 0:
            x, y = np.append(0.0, x), np.append(0.0, y)
        quality: Reals = np.interp(costs, x, y)
        return quality

    def aiq(self, cost_range: tuple[float, float] | None = None) -> float:
        """RouterBench's average improvement in quality (arXiv 2403.12031): the mean height over the cost range.

        1 / (c_max - c_min) times the integral of the hull from c_min to c_max, exact. Routers compare only over the
        same range: give it, else it is the points' own. For a range without width it is the quality there.
        """
        low, high = self.cost_range if cost_range is None else cost_range
        if not 0 <= low <= high:
            message = f"{low} to {high} is no range of costs"
            raise ValueError(message)
        if low == high:
            return float(self.quality_at(np.array([low]))[0])
        within = self.costs[(self.costs > low) & (self.costs < high)]
        knots = np.concatenate(([low], within, [high]))
        return float(np.trapezoid(self.quality_at(knots), knots) / (high - low))


def convex_hull(costs: Reals, qualities: Reals) -> Hull:
    """The non-decreasing convex hull of points [m] (RouterBench, arXiv 2403.12031; Andrew's monotone chain)."""
    if len(costs) == 0 or not np.isfinite(costs).all() or not np.isfinite(qualities).all() or costs.min() < 0:
        message = "a hull needs points with finite costs of 0 or more and finite qualities"
        raise ValueError(message)
    corners: list[tuple[float, float]] = []
    for position in frontier(costs, qualities).tolist():
        point = (float(costs[position]), float(qualities[position]))
        while len(corners) > 1 and not _turns_right(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    x, y = np.array(corners).T
    return Hull(x, y, (float(costs.min()), float(costs.max())))


def _turns_right(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[1] - a[1]) * (c[0] - b[0]) > (c[1] - b[1]) * (b[0] - a[0])


def zero_router(expert_costs: Reals, expert_qualities: Reals) -> Hull:
    """RouterBench's zero router: the best that tossing a coin between single experts reaches, seeing no query.

    A router is worth its name where its hull lies above this one. Arguments: one point an expert.
    """
    return convex_hull(expert_costs, expert_qualities)


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """Quality against the share of queries that goes to the strong one of two experts.

    shares: [m], rising from 0 to 1. qualities: [m], the first is the weak expert's, the last the strong one's.
    """

    shares: Reals
    qualities: Reals

    @property
    def recovered(self) -> Reals:
        """Performance gap recovered at each share, [m]: (quality - weak) / (strong - weak); NaN without a gap."""
        weak, strong = float(self.qualities[0]), float(self.qualities[-1])
        if not strong > weak:
            return np.full_like(self.qualities, math.nan)
        recovered: Reals = (self.qualities - weak) / (strong - weak)
        return recovered

    @property
    def apgr(self) -> float:
        """The mean of `recovered` over all shares; 0.5 is what a coin gets, 1 the most without beating the strong."""
        return float(np.trapezoid(self.recovered, self.shares))

    def cpt(self, target: float) -> float:
        """Call-performance threshold: the least share of strong calls that recovers `target` (0 to 1) of the gap.

        The first crossing of the curve, interpolated linearly; NaN without a gap.
        """
        if not 0 <= target <= 1:
            message = f"{target} is no part of a gap"
            raise ValueError(message)
        recovered = self.recovered
        if math.isnan(recovered[0]):
            return math.nan
        after = int(np.argmax(recovered >= target))
        if after == 0:
            return 0.0
        rise = (target - recovered[after - 1]) / (recovered[after] - recovered[after - 1])
        return float(self.shares[after - 1] + rise * (self.shares[after] - self.shares[after - 1]))


def strong_calls(*, weak: Reals, strong: Reals, preference: Reals, steps: int | None = 10) -> Calls:
    """What a router reaches by calling the strong expert for the queries with the highest preference first.

    RouteLLM (arXiv 2406.18665, section 2.2, `lm-sys/RouteLLM:routellm/evals`); arguments one value a query [n]. The
    curve is read at `steps` equal steps of the share, as RouteLLM does at the deciles. None gives every threshold: with
    few queries CPT is then a little flattering, as the first of many noisy points over the line is early. Queries of
    equal preference are called in random order, in expectation: who cannot tell queries apart gets the coin's line.
    """
    n = len(preference)
    if n == 0 or len(weak) != n or len(strong) != n:
        message = f"{len(weak)} weak, {len(strong)} strong outcomes and {n} preferences do not make a curve"
        raise ValueError(message)
    _, block, sizes = np.unique(-preference, return_inverse=True, return_counts=True)
    gains = np.bincount(block, weights=strong - weak)
    shares = np.append(0, np.cumsum(sizes)) / n
    qualities = weak.mean() + np.append(0.0, np.cumsum(gains)) / n
    # Sums in another order differ in the last bits; the ends are known.
    qualities[-1] = strong.mean()
    if steps is None:
        return Calls(shares, qualities)
    grid = np.linspace(0.0, 1.0, steps + 1)
    return Calls(grid, np.interp(grid, shares, qualities))
