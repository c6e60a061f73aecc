"""What a new expert interferes with, measured on the queries that it was graded on. Knows scores alone.

Two comparisons by category, each on the same queries: the new expert with the one that it was made from (an adapter
with its base, which it may have made worse elsewhere than where it was meant to help), and who is chosen now with who
was chosen before. What `routers.mapping.change` tells is what to expect by all that is known; this is what was seen,
on queries that had a say in the new expert's place, so that gains are flattered a little and losses are not.

Intervals come from the bootstrap over queries (Efron and Tibshirani 1993, chapter 13). Few queries that all say the
same would leave no doubt at all, so each side is given one query more that it wins by everything (Bonett and Price
2012, J. Educational and Behavioral Statistics 37, for paired proportions); the value itself is that of the queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from routers.mapping.shrinkage import Ints, Reals

__all__ = ["Interference", "Measured", "Scores", "Seen", "interference", "overall"]

Seen = Literal["gains", "loses", "unclear", "same", "unknown"]
DRAWS = 2000
PERCENTILES = (2.5, 97.5)
MOST_CELLS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """By how much more one scored than another on the same queries, with its 95 % interval; 0 where there are none.

    n: queries. unchanged: the two are the same.
    """

    n: int
    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    unchanged: bool = False

    @property
    def seen(self) -> Seen:
        """What that says."""
        if self.unchanged or self.n == 0:
            return "same" if self.unchanged else "unknown"
        if self.low > 0:
            return "gains"
        return "loses" if self.high < 0 else "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
    """One category. answers: whether the new expert is chosen there, alone or as one of those who draft.

    on_base: the new expert less the one that it was made from; None for one that was made from none. routed: who is
    chosen now less who was before.
    """

    category: str
    answers: bool
    on_base: Measured | None
    routed: Measured


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scores:
    """Of the graded queries, each [n], NaN where not known; base None where there is none."""

    group: Ints
    newcomer: Reals
    base: Reals | None
    before: Reals
    after: Reals


def interference(
    categories: Sequence[str], scores: Scores, *, answers: Sequence[bool], unchanged: Sequence[bool]
) -> list[Interference]:
    """By category, in their order. unchanged: who is chosen is who was."""
    found = []
    for row, category in enumerate(categories):
        here = scores.group == row
        on_base = None if scores.base is None else _measured((scores.newcomer - scores.base)[here])
        routed = Measured(n=int(here.sum()), unchanged=True)
        if not unchanged[row]:
            routed = _measured((scores.after - scores.before)[here])
        found.append(Interference(category=category, answers=answers[row], on_base=on_base, routed=routed))
    return found


def overall(scores: Scores, *, shares: Reals, unchanged: Sequence[bool]) -> Measured:
    """Who is chosen now less who was before, over the traffic of those categories of which something was seen."""
    gains = np.where(np.array(unchanged, dtype=np.bool_)[scores.group], 0.0, scores.after - scores.before)
    value, drawn, weight, n = 0.0, np.zeros(DRAWS), 0.0, 0
    for row, share in enumerate(shares.tolist()):
        known = _known(gains[scores.group == row])
        if not len(known):
            continue
        n += len(known)
        weight += share
        value += share * float(known.mean())
        if not unchanged[row]:
            drawn += share * _drawn(known, seed=row)
    if n == 0 or weight == 0 or all(unchanged):
        return Measured(n=n, unchanged=all(unchanged))
    low, high = np.percentile(drawn / weight, PERCENTILES).tolist()
    return Measured(n=n, value=value / weight, low=low, high=high)


def _measured(gains: Reals) -> Measured:
    known = _known(gains)
    if not len(known):
        return Measured(n=0)
    low, high = np.percentile(_drawn(known, seed=0), PERCENTILES).tolist()
    return Measured(n=len(known), value=float(known.mean()), low=low, high=high)


def _known(gains: Reals) -> Reals:
    """In the one order that does not depend on how they came: sums of floats end in other digits."""
    return np.sort(gains[~np.isnan(gains)])


def _drawn(gains: Reals, *, seed: int) -> Reals:
    """Means of resamples, [draws]."""
    values, counts = np.unique(np.concatenate([gains, [-1.0, 1.0]]), return_counts=True)
    n, random = int(counts.sum()), np.random.default_rng(seed)
    step = max(1, MOST_CELLS // len(values))
    parts = [
        random.multinomial(n, counts / n, size=min(step, DRAWS - start)) @ values for start in range(0, DRAWS, step)
    ]
    means: Reals = np.concatenate(parts) / n
    return means
