"""Measures: pure functions of arrays and labels, one module a subject. They read no data and run no router.

What is measured a query at a time comes as an array [n]; `bootstrap.Resampling` turns it, or any statistic of the
rows, into a `Figure` with its interval.
"""

from eval.metrics.bootstrap import Difference, Resampling
from eval.metrics.classification import accuracy, confusion, macro_f1, recalls
from eval.metrics.figures import UNDEFINED, Figure, share

__all__ = [
    "UNDEFINED",
    "Difference",
    "Figure",
    "Resampling",
    "accuracy",
    "confusion",
    "macro_f1",
    "recalls",
    "share",
]
