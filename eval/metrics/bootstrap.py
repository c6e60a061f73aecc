"""Intervals by the bootstrap over queries: any statistic, and paired differences of two.

The percentile method (Efron and Tibshirani 1993, chapter 13): draw n of the n queries with replacement, compute the
statistic, repeat; the interval runs from the 2.5th to the 97.5th percentile. All figures of one `Resampling` stand on
the same drawn queries, and so do those of another with the same n, draws and seed: differences are paired, and a
second run gives the same intervals. Queries are taken as independent; what one query is, the caller decides. Where a
figure is a mean over groups of queries (collections), the groups are strata: each keeps its size in every resample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from eval.metrics.arrays import IntArray, Reals
from eval.metrics.figures import Figure

__all__ = ["Difference", "Resampling", "Verdict"]

Verdict: TypeAlias = Literal["better", "worse", "not distinguishable"]

PERCENTILES = (2.5, 97.5)
MOST_UNDEFINED = 0.05
"""Beyond this share of resamples in which a statistic is undefined (NaN), it gets no interval."""
CHUNK_CELLS = 1 << 20
"""How many counts are turned into float64 at a time: 8 MiB."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much a measure changed (after minus before), with its paired interval, and what that says."""

    figure: Figure
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """As JSON: the figure's keys and `verdict`."""
        return {**self.figure.as_dict(), "verdict": self.verdict}


class Resampling:
    """`draws` resamples of n queries, drawn by `seed`; raises ValueError for no queries or no draws.

    strata: the group of each query, [n], where queries are drawn within their groups.
    """

    def __init__(self, n: int, *, draws: int = 1000, seed: int = 0, strata: npt.ArrayLike | None = None) -> None:
        groups = np.zeros(n) if strata is None else np.asarray(strata)
        if n < 1 or draws < 1 or groups.shape != (n,):
            message = f"cannot draw {draws} resamples of {n} queries in strata {groups.shape}"
            raise ValueError(message)
        self.n, self.draws, self.seed = n, draws, seed
        self._strata = [np.flatnonzero(groups == group) for group in np.unique(groups)]

    @cached_property
    def _counts(self) -> npt.NDArray[np.uint8]:
        """How often each query is in each resample, [draws, n]."""
        # A byte is enough: up to 255 queries none fits in more often, and beyond them the odds are under 1 to 256!.
        random = np.random.default_rng(self.seed)
        counts = np.empty((self.draws, self.n), dtype=np.uint8)
        for row in counts:
            for rows in self._strata:
                row[rows] = np.bincount(random.integers(len(rows), size=len(rows)), minlength=len(rows))
        return counts

    def means(self, columns: Reals) -> Reals:
        """The columns' means in every resample: [n, m] -> [draws, m]."""
        chunk = max(1, CHUNK_CELLS // self.n)
        sums = [
            self._counts[start : start + chunk].astype(np.float64) @ columns for start in range(0, self.draws, chunk)
        ]
        means: Reals = np.concatenate(sums) / self.n
        return means

    def mean(self, values: npt.ArrayLike) -> Figure:
        """The mean of one value a query, [n]; raises ValueError for NaN (leave such queries out and say so)."""
        checked = self._checked(values)
        return self._figure(float(checked.mean()), self.means(checked[:, None])[:, 0])

    def of_means(self, columns: npt.ArrayLike, statistic: Callable[[Reals], float]) -> Figure:
        """A statistic of the means [m] of columns [n, m] (a ratio, a hull over experts): fast, for any n."""
        checked = self._checked(columns)
        drawn = [statistic(means) for means in self.means(checked)]
        return self._figure(statistic(checked.mean(axis=0)), np.array(drawn, dtype=np.float64))

    def of_rows(self, statistic: Callable[[IntArray], float]) -> Figure:
        """Any statistic, as a function of the positions of the queries it is to stand on, [n], ascending."""
        return self._figure(statistic(np.arange(self.n)), self._drawn(statistic))

    def difference(self, after: npt.ArrayLike, before: npt.ArrayLike, *, higher_is_better: bool = True) -> Difference:
        """Of the means of two values a query, both [n] in the same order."""
        change = self._checked(after) - self._checked(before)
        return self._difference(self.mean(change), higher_is_better=higher_is_better)

    def difference_of_rows(
        self,
        after: Callable[[IntArray], float],
        before: Callable[[IntArray], float],
        *,
        higher_is_better: bool = True,
    ) -> Difference:
        """Of any two statistics, each a function of the positions of the queries."""
        figure = self.of_rows(lambda rows: after(rows) - before(rows))
        return self._difference(figure, higher_is_better=higher_is_better)

    def _drawn(self, statistic: Callable[[IntArray], float]) -> Reals:
        every = np.arange(self.n)
        return np.array([statistic(np.repeat(every, counts)) for counts in self._counts], dtype=np.float64)

    def _checked(self, values: npt.ArrayLike) -> Reals:
        checked = np.asarray(values, dtype=np.float64)
        if checked.ndim == 0 or len(checked) != self.n:
            message = f"{self.n} queries need one row each; got an array of shape {checked.shape}"
            raise ValueError(message)
        if not np.isfinite(checked).all():
            message = f"{int(np.sum(~np.isfinite(checked)))} values are not finite; leave those queries out and say so"
            raise ValueError(message)
        return checked

    def _figure(self, value: float, drawn: Reals) -> Figure:
        defined = drawn[~np.isnan(drawn)]
        if self.n == 1 or math.isnan(value) or len(defined) < (1 - MOST_UNDEFINED) * self.draws:
            return Figure(value, None, self.n)
        low, high = np.percentile(defined, PERCENTILES)
        return Figure(value, (float(low), float(high)), self.n)

    def _difference(self, figure: Figure, *, higher_is_better: bool) -> Difference:
        if figure.ci95 is None or figure.ci95[0] <= 0 <= figure.ci95[1]:
            return Difference(figure, "not distinguishable")
        return Difference(figure, "better" if (figure.ci95[0] > 0) == higher_is_better else "worse")
