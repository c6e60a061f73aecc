"""When a fast classifier may answer for a better one, and how the two are made comparable. Knows no texts.

Learned from what both said of queries that neither had seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from routers.calibrate import IntArray, conformal_sets, fit_temperature, softmax
from routers.embedding.protocol import FloatArray
from routers.gate import Gate, Signal

__all__ = ["Reading", "Tiers"]

Reading = tuple[FloatArray, FloatArray]
"""Logits [n, k] and evidence [n, signals], as of `Evident.read`."""

Flags = npt.NDArray[np.bool_]

CERTAINTY = 1.2816
"""Standard errors that the loss of accuracy is taken to be larger than it looks: the one-sided 90 % bound."""

NOBODY = 1.0
"""The conformal score under which every set holds every category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """The fast tier answers a query when its conformal set has one member and its own gate lets the query pass.

    fast_temperature, inner_temperature: divide the logits of each. qhat: of the conformal sets. alpha: share of
    held-out queries whose set misses the true category, which is the level of these sets.
    gate: how familiar a query must be to the fast tier.
    evidence: float32 [signals of the fast tier + 1, signals of the inner tier]: weights, and an offset, that tell from
    the fast tier's evidence what the inner tier's would be, by least squares over held-out queries that it answers.
    """

    fast_temperature: float
    inner_temperature: float
    qhat: float
    alpha: float
    gate: Gate
    evidence: FloatArray

    @classmethod
    def learned(
        cls, fast: Reading, inner: Reading, labels: IntArray, *, names: Sequence[str], loss: float, strange: float
    ) -> Self:
        """From held-out readings of both.

        names: the fast tier's signals. loss: accuracy that may be lost against always asking the inner tier, at most,
        as a 90 % bound. strange: share of what the fast tier gets right that its gate may still pass on.
        """
        temperature = fit_temperature(fast[0], labels)
        posterior = softmax(fast[0], temperature)
        right = posterior.argmax(axis=1) == labels
        gate = Gate.learned(posterior, right, false_reject=strange, evidence=fast[1], names=names)
        familiar = gate.familiarity(posterior, fast[1])
        second = np.partition(posterior, -2, axis=1)[:, -2]
        better = (inner[0].argmax(axis=1) == labels).astype(int) - right
        qhat = _qhat(second, better, familiar >= gate.threshold, loss=loss)
        inside = conformal_sets(posterior, qhat)
        answered = (inside.sum(axis=1) == 1) & (familiar >= gate.threshold)
        return cls(
            fast_temperature=temperature,
            inner_temperature=fit_temperature(inner[0], labels),
            qhat=qhat,
            alpha=float(1 - inside[np.arange(len(labels)), labels].mean()),
            gate=gate,
            evidence=_translation(fast[1], inner[1], answered if answered.any() else np.ones_like(answered)),
        )

    def answers(self, fast: Reading) -> Flags:
        """Which queries the fast tier answers."""
        posterior = softmax(fast[0], self.fast_temperature)
        single: Flags = conformal_sets(posterior, self.qhat).sum(axis=1) == 1
        if not single.any():
            return single
        familiar: Flags = self.gate.familiarity(posterior, fast[1]) >= self.gate.threshold
        return single & familiar

    def of_fast(self, fast: Reading) -> Reading:
        """The fast tier's, as the inner tier would have put it: calibrated logits, and the same signals.

        Its evidence becomes what the inner tier's is likely to be, so that one gate can judge both.
        """
        evidence = fast[1] @ self.evidence[:-1] + self.evidence[-1]
        return fast[0] / np.float32(self.fast_temperature), evidence

    def of_inner(self, inner: Reading) -> Reading:
        """The inner tier's: calibrated logits, and its evidence."""
        return inner[0] / np.float32(self.inner_temperature), inner[1]

    def state(self) -> Mapping[str, FloatArray]:
        """`settings` [5], `gate` [2, signals]: centres and spreads, `evidence`."""
        settings = (self.fast_temperature, self.inner_temperature, self.qhat, self.alpha, self.gate.threshold)
        spreads = [[signal.centre for signal in self.gate.signals], [signal.spread for signal in self.gate.signals]]
        return {
            "settings": np.array(settings, dtype=np.float32),
            "gate": np.array(spreads, dtype=np.float32),
            "evidence": self.evidence,
        }

    @classmethod
    def restored(cls, state: Mapping[str, FloatArray], *, names: Sequence[str], signals: int) -> Self:
        """What `state` gave. names: the fast tier's signals. signals: how many the inner tier has.

        Raises:
            ValueError: the tensors do not fit.
        """
        expected = {"settings": (5,), "gate": (2, len(names)), "evidence": (len(names) + 1, signals)}
        found = {name: tensor.shape for name, tensor in state.items()}
        if found != expected:
            raise ValueError(f"expected tensors {expected}, found {found}")
        if not all(np.isfinite(tensor).all() for tensor in state.values()) or (state["settings"][:2] <= 0).any():
            raise ValueError("a setting of the tiers is out of its range")
        fast_temperature, inner_temperature, qhat, alpha, threshold = state["settings"].tolist()
        centres, spreads = state["gate"].tolist()
        known = tuple(Signal(*parts) for parts in zip(names, centres, spreads, strict=True))
        return cls(
            fast_temperature=fast_temperature,
            inner_temperature=inner_temperature,
            qhat=qhat,
            alpha=alpha,
            gate=Gate(threshold, known),
            evidence=np.ascontiguousarray(state["evidence"]),
        )

    def as_stored(self) -> Self:
        """Itself after the rounding of its tensors, so that a router says the same before and after it is saved."""
        names = [signal.name for signal in self.gate.signals]
        return self.restored(self.state(), names=names, signals=self.evidence.shape[1])


def _qhat(second: npt.NDArray[np.float64], better: IntArray, familiar: Flags, *, loss: float) -> float:
    """The conformal score at which the fast tier answers most and loses at most `loss`.

    second: the second largest probability: a set has one member when it is below 1 - qhat. better: 1 where the inner
    tier alone is right, -1 where the fast one is. With L the sum of `better` over the answered of n queries and D how
    many of these are not 0, the loss is L / n and its bound (L + 1.28 sqrt(D + 1)) / n; the one that is added keeps a
    few queries without any difference from proving that there is none.
    """
    order = np.flatnonzero(familiar)[np.argsort(second[familiar], kind="stable")]
    lost, differ = np.cumsum(better[order]), np.cumsum(np.abs(better[order]))
    allowed = np.flatnonzero(lost + CERTAINTY * np.sqrt(differ + 1) <= loss * len(second))
    if not len(allowed):
        return NOBODY
    answered = int(allowed[-1]) + 1
    return float(1 - second[order[answered]]) if answered < len(order) else 0.0


def _translation(fast: FloatArray, inner: FloatArray, rows: Flags) -> FloatArray:
    known = np.column_stack([fast[rows], np.ones(rows.sum())]).astype(np.float64)
    weights, *_ = np.linalg.lstsq(known, inner[rows].astype(np.float64))
    return np.ascontiguousarray(weights, dtype=np.float32)
