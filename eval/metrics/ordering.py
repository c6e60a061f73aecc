"""How far two gradings of the same things agree in their order. Knows values alone."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

from eval.metrics.arrays import Reals

__all__ = ["spearman", "tau_b"]


def spearman(one: Reals, other: Reals) -> float:
    """The correlation of the ranks (ties share their mean rank), -1 to 1; NaN where one of them is constant."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:  # noqa: PLR2004 - a correlation needs two
        return math.nan
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def tau_b(one: Reals, other: Reals) -> float:
    """Kendall's tau-b (Kendall 1945), -1 to 1: pairs in the same order less those in the other, ties allowed for.

    NaN where one of them is constant.
    """
    first, second = (np.sign(values[:, None] - values[None, :]) for values in (one, other))
    both = math.sqrt(float((first != 0).sum()) * float((second != 0).sum()))
    return float((first * second).sum()) / both if both else math.nan
