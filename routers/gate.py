"""The out-of-distribution test that sends a query to the general category.

Where the classifier shows evidence beside its posterior (how strong its score is, how near the query is to its
examples), the gate weighs the signals together; else it looks at the posterior alone. A reading names what fired.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from routers.calibrate import Probabilities
from routers.embedding.protocol import FloatArray

__all__ = ["MAX_POSTERIOR", "Gate", "GateReading", "Signal", "SignalReading", "gate_threshold"]

MAX_POSTERIOR = "max_posterior"
"""Name of the test where there is no evidence: the largest probability of the posterior is below the threshold."""

LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True)
class GateReading:
    """What the gate saw: `fired` names the test that fired, None when the query passed.

    value: what was measured, higher is more familiar. threshold: below which it fires.
    """

    fired: str | None
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of evidence, and what is usual of it among rightly classified queries. spread: > 0."""

    name: str
    centre: float
    spread: float


@dataclass(frozen=True, slots=True)
class SignalReading:
    """One signal of one query. standard: its distance from what is usual, in spreads; the mean of all is weighed."""

    name: str
    value: float
    standard: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Fires when a query is less familiar than `threshold`.

    Familiarity is the mean over the signals of (evidence - centre) / spread, 0 for a usual query; without signals it
    is the largest probability, 0 to 1. The sum is a linear discriminant with equal weights: no strange queries are
    needed to learn it. A gate that fired names the signal that was lowest.
    """

    threshold: float
    signals: tuple[Signal, ...] = ()

    @classmethod
    def learned(
        cls,
        posterior: Probabilities,
        right: npt.NDArray[np.bool_],
        *,
        false_reject: float,
        evidence: FloatArray | None = None,
        names: Sequence[str] = (),
    ) -> Self:
        """From held-out queries; rejects at most the share `false_reject` of those that were classified right.

        posterior: [n, k], calibrated. right: [n]. evidence: [n, s], one column a name.
        """
        signals: tuple[Signal, ...] = ()
        if evidence is not None and right.any():
            usual = evidence[right].astype(np.float64)
            signals = tuple(
                Signal(name, float(column.mean()), max(float(column.std()), LEAST_SPREAD))
                for name, column in zip(names, usual.T, strict=True)
            )
        values = cls(0.0, signals).familiarity(posterior, evidence)
        return cls(gate_threshold(values, right, false_reject=false_reject), signals)

    def familiarity(self, posterior: Probabilities, evidence: FloatArray | None = None) -> Probabilities:
        """Of each query, float64 [n]. posterior: [n, k]. evidence: [n, signals], needed where there are signals."""
        if not self.signals or evidence is None:
            largest: Probabilities = posterior.max(axis=1)
            return largest
        return np.asarray(self._standard(evidence).mean(axis=1), dtype=np.float64)

    def read(self, posterior: Probabilities, evidence: FloatArray | None = None) -> GateReading:
        """The reading of one query. posterior: [k]. evidence: [signals]."""
        if self.signals and evidence is not None:
            standard = self._standard_of(evidence)
            value, fired = sum(standard) / len(standard), self.signals[standard.index(min(standard))].name
        else:
            value, fired = float(posterior.max()), MAX_POSTERIOR
        return GateReading(None if value >= self.threshold else fired, value, self.threshold)

    def weighed(self, evidence: FloatArray) -> tuple[SignalReading, ...]:
        """Each signal of one query. evidence: [signals]."""
        named = zip(self.signals, evidence, self._standard_of(evidence), strict=True)
        return tuple(SignalReading(signal.name, float(value), standard) for signal, value, standard in named)

    def _standard_of(self, evidence: FloatArray) -> list[float]:
        """`_standard` of one query, without what arrays cost."""
        named = zip(self.signals, evidence.tolist(), strict=True)
        return [(value - signal.centre) / signal.spread for signal, value in named]

    def _standard(self, evidence: FloatArray) -> Probabilities:
        centre, spread = ([getattr(signal, part) for signal in self.signals] for part in ("centre", "spread"))
        return np.asarray((evidence.astype(np.float64) - centre) / spread, dtype=np.float64)


def gate_threshold(value: Probabilities, right: npt.NDArray[np.bool_], *, false_reject: float) -> float:
    """The largest threshold that rejects at most the share `false_reject` of the rightly classified queries.

    value: float64 [n], familiarity of held-out queries. right: bool [n], whether the likeliest category was the true
    one. With m right ones in ascending order it is the value at position floor(false_reject m): so many lie below it
    at most, and anything larger would reject one more. A classifier that is never right gets 1: nobody passes.
    """
    kept = np.sort(value[right])
    return float(kept[math.floor(false_reject * len(kept))]) if len(kept) else 1.0
