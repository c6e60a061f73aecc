"""Experts that err together, and those of them that another one makes superfluous. Knows scores alone.

Two experts that fail on the same queries are no help to each other, neither as fallbacks nor as drafts. The measure is
Pearson's correlation of their errors (1 - score; phi where scores are 0 or 1) on the queries that both were graded on,
with Fisher's interval (1915, Biometrika 10): atanh(r) +- 1.96 / sqrt(n - 3). There r is at most 1 - 1/n, since a few
queries without any difference are no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from routers.mapping.scores import compare
from routers.mapping.shrinkage import Ints, Reals

__all__ = ["LEAST_COMMON", "LIMIT", "Pair", "pairs_of"]

LIMIT = 0.6
"""Errors that correlate more than this, by the lower end of the interval, are those of one and the same expert."""
LEAST_COMMON = 10
"""Fewer common queries tell nothing."""
SAME = 1e-9
"""Errors that spread less do not vary."""
INTERVAL_Z = 1.96
BETTER = 0.975
"""Confidence, one-sided, by which one expert is better than another in a category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two experts. n: common queries. correlation: of their errors there, with low and high, its 95 % interval.

    redundant: the one that can go, None where there is none: they err together, it is credibly better in no category,
    and it costs no less.
    """

    experts: tuple[str, str]
    n: int
    correlation: float
    low: float
    high: float
    redundant: str | None = None

    @property
    def together(self) -> bool:
        """Whether they err together."""
        return self.low > LIMIT


def pairs_of(
    experts: Sequence[str],
    scores: Reals,
    group: Ints,
    *,
    of: str | None = None,
    prices: Sequence[float | None] | None = None,
    least: int = LEAST_COMMON,
) -> list[Pair]:
    """The pairs that err together, and all pairs of one expert (`of`), the closest first.

    Pairs with fewer than `least` common queries, or without an error that varies, are not among them. scores: 0 to 1,
    [n, e], NaN where not graded. group: the category of each query, its position [n]. prices: of each expert's queries,
    None where not known. Of two that could both go it is the one that stands last.
    """
    costs = list(prices) if prices is not None else [None] * len(experts)
    n, correlation = _correlations(scores)
    found = []
    for one, other in np.argwhere(np.triu((n >= max(least, 4)) & ~np.isnan(correlation), k=1)).tolist():
        pair = _pair((experts[one], experts[other]), int(n[one, other]), float(correlation[one, other]))
        if pair.together:
            goes = _superfluous(scores, group, (one, other), costs)
            found.append(pair if goes is None else replace(pair, redundant=experts[goes]))
        elif of in pair.experts:
            found.append(pair)
    return sorted(found, key=lambda pair: -pair.correlation)


def _correlations(scores: Reals) -> tuple[Ints, Reals]:
    """Common queries, and the correlation on them, each [e, e]; NaN where one of the two does not vary there."""
    known = (~np.isnan(scores)).astype(np.float64)
    errors = np.where(known > 0, 1.0 - scores, 0.0)
    n, sums = known.T @ known, errors.T @ known
    variance = n * ((errors**2).T @ known) - sums**2
    covariance = n * (errors.T @ errors) - sums * sums.T
    spread = np.sqrt(np.maximum(variance, 0.0)) * np.sqrt(np.maximum(variance.T, 0.0))
    vary = spread > SAME * np.maximum(n, 1.0) ** 2
    correlation = np.where(vary, covariance / np.where(vary, spread, 1.0), np.nan)
    return n.astype(np.intp), np.clip(correlation, -1.0, 1.0)


def _pair(experts: tuple[str, str], n: int, correlation: float) -> Pair:
    centre, half = np.arctanh(np.clip(correlation, 1.0 / n - 1.0, 1.0 - 1.0 / n)), INTERVAL_Z / np.sqrt(n - 3)
    return Pair(
        experts=experts,
        n=n,
        correlation=correlation,
        low=min(correlation, float(np.tanh(centre - half))),
        high=max(correlation, float(np.tanh(centre + half))),
    )


def _superfluous(scores: Reals, group: Ints, pair: tuple[int, int], costs: Sequence[float | None]) -> int | None:
    both = ~np.isnan(scores[:, list(pair)]).any(axis=1)
    for goes, stays in (pair[::-1], pair):
        if not _better(scores[both, goes], scores[both, stays], group[both]) and not _cheaper(
            costs[goes], costs[stays]
        ):
            return goes
    return None


def _better(one: Reals, other: Reals, group: Ints) -> bool:
    """Anywhere, credibly."""
    names, rows = np.unique(group, return_inverse=True)
    low = compare(one[:, None], other, rows.astype(np.intp), count=len(names)).gain_low(BETTER)
    return bool((low > 0).any())


def _cheaper(one: float | None, other: float | None) -> bool:
    """By more than a hundredth: what one and the same expert costs differs a little from query to query."""
    return one is not None and other is not None and one < 0.99 * other
