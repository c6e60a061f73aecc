"""Whether a quantity grows with time: the slope of a straight line, and how sure it is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Trend"]

_BLOCKS = 30
_SURE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A straight line through samples, by least squares.

    first, last: means of the first and the last tenth of the samples. slope, error: a minute, with its standard error.
    minutes: between the first and the last sample.
    """

    first: float
    last: float
    slope: float
    error: float
    minutes: float

    @classmethod
    def of(cls, samples: Sequence[tuple[float, float]]) -> Trend:
        """Through (seconds, value), in the order of time.

        Neighbouring samples are much alike, which would make the error look small: the line goes through the means of
        up to 30 stretches of them.
        """
        if len(samples) < 3:  # noqa: PLR2004 - a line with an error
            raise ValueError(f"{len(samples)} samples are too few for a line")
        edges = [round(place) for place in _spread(len(samples), min(_BLOCKS, len(samples)))]
        blocks = [samples[start:end] for start, end in pairwise(edges)]
        minutes = [statistics.fmean(seconds for seconds, _ in block) / 60 for block in blocks]
        values = [statistics.fmean(value for _, value in block) for block in blocks]
        slope, intercept = statistics.linear_regression(minutes, values)
        left = sum((value - intercept - slope * minute) ** 2 for minute, value in zip(minutes, values, strict=True))
        mean = statistics.fmean(minutes)
        error = math.sqrt(left / (len(blocks) - 2) / sum((minute - mean) ** 2 for minute in minutes))
        tenth = max(1, len(samples) // 10)
        return cls(
            first=statistics.fmean(value for _, value in samples[:tenth]),
            last=statistics.fmean(value for _, value in samples[-tenth:]),
            slope=slope,
            error=error,
            minutes=(samples[-1][0] - samples[0][0]) / 60,
        )

    def grows(self, *, more_than: float) -> bool:
        """Whether the line surely rises, and by more than this in all the time."""
        return self.slope > _SURE * self.error and self.slope * self.minutes > more_than


def _spread(count: int, parts: int) -> list[float]:
    return [count * part / parts for part in range(parts + 1)]
