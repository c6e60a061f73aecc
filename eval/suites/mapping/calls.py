"""Two experts of the pool, a weak and a strong one: what is saved by asking the strong one only where it helps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from eval.metrics import Figure
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.cost_quality import Calls, strong_calls
from eval.suites.mapping.judging import Intervals
from eval.suites.mapping.pool import Pool

__all__ = ["Pair", "call_figures", "call_part", "gains", "pair_of"]

STEPS = 100
"""Of the curve that is drawn; figures are read at RouteLLM's deciles."""


MEASURES: Mapping[str, Callable[[Calls], float]] = MappingProxyType(
    {
        "apgr": lambda calls: calls.apgr,
        "cpt50": lambda calls: calls.cpt(0.5),
        "cpt80": lambda calls: calls.cpt(0.8),
    }
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Positions of two experts."""

    weak: int
    strong: int


def pair_of(pool: Pool, named: Sequence[str] | None) -> Pair | None:
    """Two named experts are weak and strong in this order; of two others the better one is strong.

    Of a larger pool it is the cheapest and the best; None where nothing says which is the cheapest, or it is the best.
    """
    means = pool.scores.mean(axis=0)
    if len(pool.experts) == 2:  # noqa: PLR2004 - a pair
        return Pair(1, 0) if named is None and means[0] > means[1] else Pair(0, 1)
    priced = pool.priced
    if pool.prices is None or not priced.any():
        return None
    pair = Pair(int(pool.prices.values[priced].mean(axis=0).argmin()), int(means.argmax()))
    return None if pair.weak == pair.strong else pair


def gains(expected: Reals, pair: Pair) -> Reals:
    """How much more the strong expert is expected to score, [n]; NaN where nothing is expected."""
    gain: Reals = expected[:, pair.strong] - expected[:, pair.weak]
    return gain


def call_figures(
    pool: Pool, pair: Pair, preference: Reals, intervals: Intervals, *, names: Sequence[str] = tuple(MEASURES)
) -> dict[str, Figure]:
    """Some of `MEASURES`, of sending the queries with the highest preference [n] to the strong expert."""
    weak, strong = pool.scores[:, pair.weak], pool.scores[:, pair.strong]

    def measured(name: str) -> Callable[[IntArray], float]:
        return lambda rows: MEASURES[name](
            strong_calls(weak=weak[rows], strong=strong[rows], preference=preference[rows])
        )

    return {name: intervals.of(len(preference)).of_rows(measured(name)) for name in names}


def call_part(pool: Pool, pair: Pair, preference: Reals) -> dict[str, Any]:
    """Quality against the share of strong calls, for the report."""
    calls = strong_calls(
        weak=pool.scores[:, pair.weak], strong=pool.scores[:, pair.strong], preference=preference, steps=STEPS
    )
    return {
        "shares": np.round(calls.shares, 9).tolist(),
        "qualities": calls.qualities.tolist(),
        "weak": pool.experts[pair.weak],
        "strong": pool.experts[pair.strong],
    }
