"""Measures of classification, with intervals. Pure functions over labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "confusion", "macro_f1", "recalls", "share"]

Z95 = 1.959963984540054
"""The 0.975 quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, its 95 % interval (None where none is computed) and the number of rows it stands on."""

    value: float
    ci95: tuple[float, float] | None
    n: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        interval = f" [{self.ci95[0]:.3f}, {self.ci95[1]:.3f}]" if self.ci95 else ""
        return f"{self.value:.3f}{interval} (n = {self.n})"


def share(hits: int, n: int) -> Figure:
    """`hits` of `n` with Wilson's score interval; raises ValueError for n = 0."""
    if n == 0:
        message = "a share of nothing is undefined"
        raise ValueError(message)
    p = hits / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return Figure(p, (max(0.0, centre - half), min(1.0, centre + half)), n)


def confusion(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts by true and then predicted label, every label that occurs in both roles, sorted."""
    labels = sorted({*truth, *predicted})
    counts = Counter(zip(truth, predicted, strict=True))
    return {true: {guess: counts[true, guess] for guess in labels} for true in labels}


def recalls(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, Figure]:
    """By true label, the share that was predicted right."""
    total = Counter(truth)
    right = Counter(true for true, guess in zip(truth, predicted, strict=True) if true == guess)
    return {label: share(right[label], total[label]) for label in sorted(total)}


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> Figure:
    """The mean over true labels of 2 TP / (2 TP + FP + FN)."""
    total, guessed = Counter(truth), Counter(predicted)
    right = Counter(true for true, guess in zip(truth, predicted, strict=True) if true == guess)
    scores = [2 * right[label] / (total[label] + guessed[label]) for label in total]
    return Figure(sum(scores) / len(scores), None, len(truth))
