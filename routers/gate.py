"""The out-of-distribution test that sends a query to the general category.

One test so far: the largest calibrated probability is too small. A reading names the test that fired, so that more
tests can join without a change for those who read.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routers.calibrate import Probabilities

__all__ = ["MAX_POSTERIOR", "Gate", "GateReading", "gate_threshold"]

MAX_POSTERIOR = "max_posterior"
"""Name of the test: the largest probability of the posterior is below the threshold."""


@dataclass(frozen=True, slots=True)
class GateReading:
    """What the gate saw: `fired` names the test that fired, None when the query passed.

    value: what that test measured. threshold: where it fires.
    """

    fired: str | None
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Fires when the largest probability is below `threshold`, 0 (never) to 1."""

    threshold: float

    def read(self, posterior: Probabilities) -> GateReading:
        """The reading of one query's posterior, float64 [k]."""
        value = float(posterior.max())
        return GateReading(MAX_POSTERIOR if value < self.threshold else None, value, self.threshold)


def gate_threshold(confidence: Probabilities, right: npt.NDArray[np.bool_], *, false_reject: float) -> float:
    """The largest threshold that rejects at most the share `false_reject` of the rightly classified queries.

    confidence: float64 [n], largest probability of held-out queries. right: bool [n], whether it was the true one.
    With m right ones in ascending order it is the value at position floor(false_reject m): so many lie below it at
    most, and anything larger would reject one more. A classifier that is never right gets 1: nobody passes.
    """
    kept = np.sort(confidence[right])
    return float(kept[math.floor(false_reject * len(kept))]) if len(kept) else 1.0
