"""What a router reaches over the whole range of costs, beside a coin between single experts. Knows no router.

A router that trades quality for cost has several settings; each is a point of mean price and mean score, and mixing two
settings reaches what lies between them. `eval.metrics.cost_quality` has the measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eval.metrics import Figure
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.cost_quality import Hull, convex_hull
from eval.suites.mapping.judging import Intervals
from eval.suites.mapping.pool import Pool

__all__ = ["TradeOff", "trade_off"]


@dataclass(frozen=True, slots=True, eq=False)
class TradeOff:
    """Prices and scores of the experts and of a router's settings, in this order, on the priced queries, [n, e + s]."""

    prices: Reals
    scores: Reals
    experts: int

    @property
    def hull(self) -> Hull:
        """Of the router's settings."""
        return self._hulls(self.prices.mean(axis=0), self.scores.mean(axis=0))[0]

    @property
    def zero_hull(self) -> Hull:
        """Of the single experts: RouterBench's zero router."""
        return self._hulls(self.prices.mean(axis=0), self.scores.mean(axis=0))[1]

    def aiq(self, intervals: Intervals) -> Figure:
        """The mean height of the router's hull over the range of the experts' mean prices."""
        return self._figure(intervals, lambda router, zero: router.aiq(zero.cost_range))

    def aiq_zero(self, intervals: Intervals) -> Figure:
        """The same of the zero router."""
        return self._figure(intervals, lambda _, zero: zero.aiq())

    def aiq_gain(self, intervals: Intervals) -> Figure:
        """By how much the router's is higher; paired."""
        return self._figure(intervals, lambda router, zero: router.aiq(zero.cost_range) - zero.aiq())

    def _figure(self, intervals: Intervals, measure: Callable[[Hull, Hull], float]) -> Figure:
        n, points = self.prices.shape
        columns = np.hstack([self.prices, self.scores])
        return intervals.of(n).of_means(columns, lambda means: measure(*self._hulls(means[:points], means[points:])))

    def _hulls(self, prices: Reals, scores: Reals) -> tuple[Hull, Hull]:
        e = self.experts
        return convex_hull(prices[e:], scores[e:]), convex_hull(prices[:e], scores[:e])


def trade_off(pool: Pool, sweep: IntArray) -> TradeOff | None:
    """Of a router whose settings choose as the rows of `sweep` [s, n]; None where no query has the price of all."""
    priced = np.flatnonzero(pool.priced)
    if pool.prices is None or not len(priced):
        return None
    prices, scores = pool.prices.values[priced], pool.scores[priced]
    settings = np.unique(sweep[:, priced], axis=0).T
    return TradeOff(
        prices=np.hstack([prices, np.take_along_axis(prices, settings, axis=1)]),
        scores=np.hstack([scores, np.take_along_axis(scores, settings, axis=1)]),
        experts=len(pool.experts),
    )
