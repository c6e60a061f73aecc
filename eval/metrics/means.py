"""The mean over the queries that enter a figure. Knows values, one a query, NaN for those that do not enter."""

from __future__ import annotations

import numpy as np

from eval.metrics.arrays import Reals
from eval.metrics.bootstrap import Resampling
from eval.metrics.figures import UNDEFINED, Figure, share

__all__ = ["mean_figure"]


def mean_figure(values: Reals, *, seed: int) -> Figure:
    """The mean of one value a query, [n], with its interval by the bootstrap; undefined where no query enters.

    Where all are 0 or all are 1 a resample cannot differ, and the interval is Wilson's.
    """
    entering = values[~np.isnan(values)]
    if not len(entering):
        return UNDEFINED
    if np.all(entering == entering[0]) and entering[0] in {0.0, 1.0}:
        return share(int(entering.sum()), len(entering))
    return Resampling(len(entering), seed=seed).mean(entering)
