"""Figures of one way of searching: each retriever, the router and the oracles, on each collection and on average.

Knows values, one a query, no documents and no routing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.metrics import Figure, Resampling
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.cost_quality import gap_closed
from eval.suites.retrieval.collection import MEAN
from eval.suites.retrieval.routing import (
    BEST_FUSION,
    BEST_SINGLE,
    DATASET_ORACLE,
    HINDSIGHT,
    INSTANCE_ORACLE,
    INSTANCE_ORACLE_FUSED,
    ROUTER,
)

__all__ = ["figures_of", "per_query"]

GAPS = {
    "gap_closed": INSTANCE_ORACLE,
    "gap_closed_dataset": DATASET_ORACLE,
    "gap_closed_fused": INSTANCE_ORACLE_FUSED,
}
"""By the name of the figure, the oracle to which the gap from the best single retriever is."""

ALIKE = 1e-12
"""Differences of means below this are rounding."""


def figures_of(
    values: Mapping[str, Reals], groups: IntArray, *, collections: Sequence[str], seed: int
) -> dict[str, Any]:
    """`ndcg10` by collection and system, what the router gains over fixed choices, and `gap_closed` to the oracles.

    values: nDCG@10 by system, [n]. groups: the collection of each query by number, [n].
    The mean is one over collections, however many queries each has; its resamples are drawn within collections.
    `ndcg10_queries` is the mean over queries.
    """
    whole = Resampling(len(groups), seed=seed, strata=groups)
    shares = _shares(groups)
    ndcg10: dict[str, dict[str, Figure]] = {}
    for group, name in enumerate(collections):
        rows = groups == group
        own = Resampling(int(rows.sum()), seed=seed)
        ndcg10[name] = {system: own.mean(column[rows]) for system, column in values.items()}
    ndcg10[MEAN] = {system: whole.mean(column * shares) for system, column in values.items()}
    fixed = [system for system in (BEST_SINGLE, HINDSIGHT, BEST_FUSION) if system in values]
    closed = {name: oracle for name, oracle in GAPS.items() if oracle in values}
    return {
        "ndcg10": ndcg10,
        "ndcg10_queries": {system: whole.mean(column) for system, column in values.items()},
        "gain_over": {system: whole.mean((values[ROUTER] - values[system]) * shares) for system in fixed},
        **{name: _gap_closed(values, oracle, whole=whole, shares=shares) for name, oracle in closed.items()},
    }


def per_query(
    values: Mapping[str, Reals], groups: IntArray, *, collections: Sequence[str], prefix: str = ""
) -> dict[str, Reals]:
    """Each query's own values by the dotted name of the figure that is their mean; NaN where a query does not enter.

    For the mean over collections it is the query's value times its share in that mean.
    """
    shares = _shares(groups)
    rows: dict[str, Reals] = {}
    for group, name in enumerate(collections):
        for system, column in values.items():
            rows[f"{prefix}ndcg10.{name}.{system}"] = np.where(groups == group, column, np.nan)
    for system, column in values.items():
        rows[f"{prefix}ndcg10.{MEAN}.{system}"] = column * shares
        rows[f"{prefix}ndcg10_queries.{system}"] = column
    return rows


def _shares(groups: IntArray) -> Reals:
    """What each query counts, [n], so that the mean over queries is the mean over collections of their means."""
    sizes = np.bincount(groups)
    shares: Reals = len(groups) / (len(sizes) * sizes[groups])
    return shares


def _gap_closed(values: Mapping[str, Reals], oracle: str, *, whole: Resampling, shares: Reals) -> Figure:
    columns = np.stack([values[system] for system in (ROUTER, BEST_SINGLE, oracle)], axis=1) * shares[:, None]
    return whole.of_means(columns, _closed)


def _closed(means: Reals) -> float:
    router, single, oracle = (float(mean) for mean in means)
    return gap_closed(router, single, oracle if oracle - single > ALIKE else single)
