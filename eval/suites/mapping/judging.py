"""What the decisions were worth: quality and price of every query under every way to choose. Knows no learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.means import mean_figure
from eval.suites.mapping.learning import NOBODY, Routes
from eval.suites.mapping.pool import Pool

__all__ = ["Intervals", "Judged", "judged_of"]


class Intervals:
    """Figures of one value a query; those of the same number of queries stand on the same resamples."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._by_n: dict[int, Resampling] = {}

    def of(self, n: int) -> Resampling:
        """The resamples of n queries, drawn once."""
        if n not in self._by_n:
            self._by_n[n] = Resampling(n, seed=self._seed)
        return self._by_n[n]

    def mean(self, values: Reals) -> Figure:
        """The mean over the queries that enter, of any value; NaN is one that does not."""
        entering = values[~np.isnan(values)]
        return self.of(len(entering)).mean(entering) if len(entering) else UNDEFINED

    def score(self, values: Reals) -> Figure:
        """The same of scores; where all are right or all are wrong, as `mean_figure` has it."""
        entering = values[~np.isnan(values)]
        if len(entering) and np.all(entering == entering[0]):
            return mean_figure(entering, seed=self._seed)
        return self.mean(entering)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judged:
    """The judged queries, and what each way to choose came to; names are those of the figures, in their order.

    chosen: positions of experts, of those that choose one. quality: score of each query [n]; price: in the unit of
    `pool.prices`. Both NaN for queries that do not enter.
    """

    pool: Pool
    routes: Routes
    chosen: dict[str, IntArray]
    quality: dict[str, Reals]
    price: dict[str, Reals]


def judged_of(pool: Pool, routes: Routes) -> Judged:
    """The routers, between an expert at random (the mean over all) and the oracle."""
    prices = np.full(pool.scores.shape, np.nan) if pool.prices is None else pool.prices.values
    chosen = {**routes.chosen, "oracle": _oracle(pool.scores, prices)}
    quality = {name: _taken(pool.scores, row) for name, row in chosen.items()}
    price = {name: _taken(prices, row) for name, row in chosen.items()}
    order = ("best_single", "random", *(name for name in chosen if name != "best_single"))
    quality["random"], price["random"] = pool.scores.mean(axis=1), prices.mean(axis=1)
    return Judged(
        pool=pool,
        routes=routes,
        chosen=chosen,
        quality={name: quality[name] for name in order},
        price={name: price[name] for name in order},
    )


def _oracle(scores: Reals, prices: Reals) -> IntArray:
    """The best expert of each query, of equally good ones the cheapest, then the first."""
    best = scores == scores.max(axis=1, keepdims=True)
    dearest = np.finfo(np.float64).max
    oracle: IntArray = np.where(best, np.nan_to_num(prices, nan=dearest), np.inf).argmin(axis=1)
    return oracle


def _taken(values: Reals, chosen: IntArray) -> Reals:
    taken: Reals = values[np.arange(len(values)), chosen]
    return np.where(chosen == NOBODY, np.nan, taken)
