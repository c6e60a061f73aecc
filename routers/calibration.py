"""How logits become probabilities once training has seen which came true: a temperature, and perhaps a curve after it.

Knows numbers alone. Which kind is better for a classifier is judged by `routers.held_out`.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self, TypeAlias

import numpy as np

from routers.calibrate import IntArray, Probabilities, fit_curve, fit_temperature, softmax
from routers.embedding.protocol import FloatArray

__all__ = ["Calibration", "CalibrationKind"]

CalibrationKind: TypeAlias = Literal["temperature", "isotonic"]

RISE = 1e-9
"""Slope that is added to a curve: where it is level, the order of two categories is still theirs."""


@dataclass(frozen=True)
class Calibration:
    """Probabilities of logits z: p = softmax(z / temperature), or g(p) scaled to sum to 1 where there is a curve g.

    temperature: > 0. curve: points (probability, its share of true categories), both 0 to 1, the first strictly
    ascending, the second not falling; straight between them and level beyond. None: temperature alone.

    One curve serves every category and rises strictly, so the order of the categories stays what the classifier said:
    IRM of Zhang, Kailkhura and Han 2020 (arXiv 2003.07329), which makes the isotonic calibration of Zadrozny and
    Elkan 2002 keep accuracy; like theirs it comes after a temperature.

    Raises:
        ValueError: the temperature or the curve is not as said above.
    """

    temperature: float = 1.0
    curve: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        if not (0 < self.temperature < math.inf):
            raise ValueError(f"the temperature must be above 0, found {self.temperature}")
        if self.curve is None:
            return
        probabilities, shares = self._points
        if not len(self.curve) or not all(((part >= 0) & (part <= 1)).all() for part in self._points):
            raise ValueError("the curve must have points, all from 0 to 1")
        if (np.diff(probabilities) <= 0).any() or (np.diff(shares) < 0).any():
            raise ValueError("the curve must rise")

    @classmethod
    def fitted(cls, kind: CalibrationKind, logits: FloatArray | Probabilities, labels: IntArray) -> Self:
        """Fitted on held-out queries. logits: [n, k]. labels: column of the true category [n]."""
        temperature = fit_temperature(logits, labels)
        if kind == "temperature":
            return cls(temperature)
        return cls(temperature, fit_curve(softmax(logits, temperature), labels))

    @property
    def kind(self) -> CalibrationKind:
        """What it is called."""
        return "temperature" if self.curve is None else "isotonic"

    def posterior(self, logits: FloatArray | Probabilities) -> Probabilities:
        """float64 [n, k], rows sum to 1, each in the order of its logits."""
        scaled = softmax(logits, self.temperature)
        if self.curve is None:
            return scaled
        bent = np.interp(scaled, *self._points) + RISE * scaled
        posterior: Probabilities = bent / bent.sum(axis=1, keepdims=True)
        return posterior

    @cached_property
    def _points(self) -> tuple[Probabilities, Probabilities]:
        probabilities, shares = np.asarray(self.curve or (), dtype=np.float64).reshape(-1, 2).T
        return np.ascontiguousarray(probabilities), np.ascontiguousarray(shares)
