"""Do probabilities mean what they say: calibration error, Brier score, reliability, risk against coverage, sets.

Knows numbers alone. Rows are queries, columns categories, labels are column numbers: queries that belong to no column
(out of scope) are left out before, see `detection`. `expected_calibration_error` is the router's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Probabilities, Reals
from eval.metrics.figures import Figure, share
from routers.calibrate import expected_calibration_error

__all__ = [
    "Bin",
    "RiskCoverage",
    "brier_terms",
    "covered",
    "expected_calibration_error",
    "reliability",
    "risk_coverage",
    "set_sizes",
]


def brier_terms(posterior: Probabilities, labels: IntArray) -> Reals:
    """Each row's sum over c of (q_c - [y = c])², [n], 0 to 2; the mean is the Brier score (Brier 1950)."""
    target = np.zeros_like(posterior)
    target[np.arange(len(labels)), labels] = 1.0
    terms: Reals = np.square(posterior - target).sum(axis=1)
    return terms


@dataclass(frozen=True, slots=True)
class Bin:
    """The queries whose confidence is in (low, high], the first bin with its lower end.

    confidence: their mean. accuracy: the share that is right. Calibrated means that the two agree.
    """

    low: float
    high: float
    confidence: float
    accuracy: Figure

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "accuracy": self.accuracy.as_dict(),
        }


def reliability(confidence: Reals, right: Flags, *, bins: int = 15) -> tuple[Bin, ...]:
    """A reliability diagram: equal-width bins of confidence [n] in 0 to 1, empty ones left out.

    The bins of Guo et al. 2017 (arXiv 1706.04599, section 2): sum of |B| / n |accuracy - confidence| is their ECE.
    """
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return tuple(
        Bin(
            low=number / bins,
            high=(number + 1) / bins,
            confidence=float(confidence[bin_of == number].mean()),
            accuracy=share(int(right[bin_of == number].sum()), int((bin_of == number).sum())),
        )
        for number in np.unique(bin_of).tolist()
    )


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What share is wrong among the most confident share of queries.

    threshold, coverage, risk: [m], by falling threshold; coverage is the share with at least that confidence, risk
    the share of errors in it. area: the mean risk over all coverages 1/n .. 1; lower is better.
    """

    threshold: Reals
    coverage: Reals
    risk: Reals
    area: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "threshold": self.threshold.tolist(),
            "coverage": self.coverage.tolist(),
            "risk": self.risk.tolist(),
            "area": self.area,
        }


def risk_coverage(confidence: Reals, right: Flags) -> RiskCoverage:
    """The curve and its area (Geifman and El-Yaniv 2017, arXiv 1705.08500; Geifman et al. 2019, AURC).

    No threshold parts equal confidences, so they enter the curve together; in the area their order is taken as
    random. The order of the rows has no influence.
    """
    n = len(confidence)
    if n == 0:
        message = "risk and coverage of no queries are undefined"
        raise ValueError(message)
    values, inverse, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    errors_in = np.bincount(inverse, weights=~right)
    kept, errors = np.cumsum(sizes), np.cumsum(errors_in)
    expected_errors = np.cumsum(np.repeat(errors_in / sizes, sizes))
    return RiskCoverage(
        threshold=-values,
        coverage=kept / n,
        risk=errors / kept,
        area=float(np.mean(expected_errors / np.arange(1, n + 1))),
    )


def covered(sets: Flags, labels: IntArray) -> Flags:
    """Whether each row's category set [n, k] holds its label, [n]; the mean is the empirical coverage."""
    inside: Flags = sets[np.arange(len(labels)), labels]
    return inside


def set_sizes(sets: Flags) -> IntArray:
    """How many categories each set [n, k] holds, [n], 0 to k."""
    sizes: IntArray = sets.sum(axis=1)
    return sizes
