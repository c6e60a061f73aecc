"""How far two gradings of the same things agree in their order. Knows values alone."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import kendalltau, spearmanr

from eval.metrics.arrays import Reals

__all__ = ["spearman", "tau_b"]


def spearman(one: Reals, other: Reals) -> float:
    """The correlation of the ranks (ties share their mean rank), -1 to 1; NaN where one of them is constant."""
    return float(spearmanr(one, other).statistic) if _ordered(one, other) else math.nan


def tau_b(one: Reals, other: Reals) -> float:
    """Kendall's tau-b (Kendall 1945), -1 to 1: pairs in the same order less those in the other, ties allowed for.

    NaN where one of them is constant.
    """
    return float(kendalltau(one, other).statistic) if _ordered(one, other) else math.nan


def _ordered(one: Reals, other: Reals) -> bool:
    """Whether both tell their things apart at all; an order needs two."""
    return len(one) > 1 and bool(np.ptp(one) > 0 and np.ptp(other) > 0)
