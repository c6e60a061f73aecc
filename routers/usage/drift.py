"""Notices when what comes in, or how well it is answered, is no longer what it was. Knows no clock and no text.

Each stream of values (confidence, familiarity, score; overall, by category, by expert) is watched by itself. Its first
values are its reference; from then on a value counts by its rank among them, so that the same limits hold for streams
of any scale and shape, and an outlier weighs no more than the largest. The Page-Hinkley test (E. S. Page, Continuous
inspection schemes, 1954), from the library river, adds up how far the ranks stray from their running mean.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from river.drift import PageHinkley

__all__ = ["REFERENCE", "THRESHOLD", "TOLERANCE", "Alert", "DriftWatch", "Signal", "Slice"]

Signal = Literal["confidence", "familiarity", "score"]
Kind = Literal["overall", "category", "expert"]

REFERENCE = 50
"""Values that a stream needs before it is watched."""

TOLERANCE = 0.25
"""A lasting shift of so many standard deviations is not worth an alert."""

THRESHOLD = 25.0
"""Summed deviation, in standard deviations, that raises an alert.

With all three signals in all slices, fewer than 5 in 100 runs of 1,000 stationary decisions raise any alert; a shift of
one standard deviation is noticed after about 40 values, of two after about 20, of half a one after 150 or more.
"""

KEPT = 500
"""Latest values of a stream that are kept, to say since when it has moved, and from what to what."""

SPREAD = math.sqrt(1 / 12)
"""Standard deviation of ranks from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of the traffic; `name` is empty for all of it."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One stream has moved.

    observation, since: ids of the one that raised the alert and of the first one that was different.
    values: so many of the stream are different by now. before, after: mean of the kept values up to then, and since.
    led_by: for all traffic, the category that moved the mean most, by its own values or by coming more or less often.
    """

    signal: Signal
    slice: Slice
    observation: str
    since: str
    values: int
    before: float
    after: float
    led_by: str | None = None


@dataclass(frozen=True, slots=True)
class _Value:
    value: float
    rank: float
    observation: str
    category: str | None


class DriftWatch:
    """Takes the values of decisions one by one; a stream that has moved starts anew, and is watched again later.

    Memory grows with the number of slices alone.
    """

    def __init__(
        self, *, reference: int = REFERENCE, tolerance: float = TOLERANCE, threshold: float = THRESHOLD
    ) -> None:
        self._streams: defaultdict[tuple[Signal, Slice], _Stream] = defaultdict(
            lambda: _Stream(reference=reference, tolerance=tolerance, threshold=threshold)
        )

    def observe(
        self, signal: Signal, value: float, *, observation: str, category: str | None = None, expert: str | None = None
    ) -> list[Alert]:
        """The alerts that this value raises: none as a rule, one a slice at most. category, expert: its slices."""
        slices = [Slice("overall")]
        slices += [Slice("category", category)] if category is not None else []
        slices += [Slice("expert", expert)] if expert is not None else []
        moved = [(one, self._streams[signal, one].add(value, observation, category)) for one in slices]
        return [_alert(signal, one, values) for one, values in moved if values]


class _Stream:
    """One stream: its reference, the test, and the latest values."""

    def __init__(self, *, reference: int, tolerance: float, threshold: float) -> None:
        self._size = reference
        self._tolerance = tolerance * SPREAD
        self._threshold = threshold * SPREAD
        self._waiting: list[_Value] = []
        self._ranked: list[float] = []
        self._kept: deque[_Value] = deque(maxlen=KEPT)
        self._test = self._fresh_test()

    def add(self, value: float, observation: str, category: str | None) -> list[_Value]:
        """The kept values where this one shows that the stream has moved; else nothing."""
        if not self._ranked:
            self._waiting.append(_Value(value, 0.0, observation, category))
            if len(self._waiting) < self._size:
                return []
            self._ranked = sorted(waiting.value for waiting in self._waiting)
            values = self._waiting
        else:
            values = [_Value(value, 0.0, observation, category)]
        for one in values:
            rank = self._rank(one.value)
            self._kept.append(_Value(one.value, rank, one.observation, one.category))
            self._test.update(rank)
            if self._test.drift_detected:
                return self._start_anew()
        return []

    def _start_anew(self) -> list[_Value]:
        kept = list(self._kept)
        self._waiting, self._ranked, self._test = [], [], self._fresh_test()
        self._kept.clear()
        return kept

    def _fresh_test(self) -> PageHinkley:
        return PageHinkley(min_instances=1, delta=self._tolerance, threshold=self._threshold, alpha=1.0)

    def _rank(self, value: float) -> float:
        """Share of the reference below the value, equal ones counted half: 0 to 1."""
        return (bisect_left(self._ranked, value) + bisect_right(self._ranked, value)) / 2 / len(self._ranked)


def _alert(signal: Signal, where: Slice, kept: Sequence[_Value]) -> Alert:
    first = _changed_at(np.array([value.rank for value in kept]))
    before, after = kept[:first], kept[first:]
    return Alert(
        signal=signal,
        slice=where,
        observation=kept[-1].observation,
        since=kept[first].observation,
        values=len(after),
        before=_mean(before),
        after=_mean(after),
        led_by=_led_by(before, after) if where.kind == "overall" else None,
    )


def _changed_at(ranks: npt.NDArray[np.float64]) -> int:
    """Where the mean changed, by least squares: the split that explains most. ranks: [n], n > 1."""
    n = len(ranks)
    sizes = np.arange(1, n)
    heads = ranks.cumsum()[:-1]
    gap = heads / sizes - (ranks.sum() - heads) / (n - sizes)
    return int(np.argmax(gap**2 * sizes * (n - sizes))) + 1


def _led_by(before: Sequence[_Value], after: Sequence[_Value]) -> str | None:
    """The parts of the categories add up to the whole change, measured from the mean before."""
    usual = _mean(before)
    parts: defaultdict[str | None, float] = defaultdict(float)
    for values, sign in ((before, -1), (after, 1)):
        for one in values:
            parts[one.category] += sign * (one.value - usual) / len(values)
    direction = sum(parts.values())
    return max(parts, key=lambda category: parts[category] * direction)


def _mean(values: Sequence[_Value]) -> float:
    return sum(one.value for one in values) / len(values)
