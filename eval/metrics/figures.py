"""A measured value with its interval and the number of rows it stands on, and its form in JSON.

A measure that the data cannot answer (the recall of a label that never occurs, the gap between two equal experts) is
not a number: `value` is NaN, in JSON null. Nothing undefined is turned into a 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["UNDEFINED", "Figure", "share", "share_or_undefined"]

Z95 = 1.959963984540054
"""The 0.975 quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, its 95 % interval (None where none is computed) and the number of rows it stands on."""

    value: float
    ci95: tuple[float, float] | None
    n: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON: `{"value": ..., "ci95": [low, high], "n": ...}`; null for an undefined value, no interval."""
        return {
            "value": None if math.isnan(self.value) else float(self.value),
            "ci95": None if self.ci95 is None else [float(end) for end in self.ci95],
            "n": self.n,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`; raises KeyError, TypeError or ValueError for anything else."""
        value, ci95 = stored["value"], stored["ci95"]
        interval = None
        if ci95 is not None:
            low, high = ci95
            interval = (float(low), float(high))
        return cls(math.nan if value is None else float(value), interval, int(stored["n"]))

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"undefined (n = {self.n})"
        interval = f" [{self.ci95[0]:.3f}, {self.ci95[1]:.3f}]" if self.ci95 else ""
        return f"{self.value:.3f}{interval} (n = {self.n})"


UNDEFINED = Figure(math.nan, None, 0)
"""What nothing was measured on."""


def share(hits: int, n: int) -> Figure:
    """`hits` of `n` with Wilson's score interval (Wilson 1927); raises ValueError for n = 0.

    With p = hits / n and z = 1.96: (p + z² / 2n ± z sqrt(p (1 - p) / n + z² / 4n²)) / (1 + z² / n). Unlike a
    bootstrap it says how little is known when every row is right.
    """
    if n == 0:
        message = "a share of nothing is undefined"
        raise ValueError(message)
    p = hits / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    low, high = (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)
    return Figure(p, (low, high), n)


def share_or_undefined(hits: int, n: int) -> Figure:
    """As `share`, where having no rows is a result (the precision of what never fired) and no mistake."""
    return share(hits, n) if n else UNDEFINED
