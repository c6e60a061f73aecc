"""The parts of findings that are drawn as charts, read from their JSON. Anything of another shape is refused.

Every `of` raises KeyError, TypeError, ValueError or AttributeError for JSON that is not its part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from eval.metrics import Figure

__all__ = ["Bin", "Calls", "Drafts", "Frontier", "Kind", "Line", "Point", "Reliability", "RiskCoverage", "floats"]

Kind = Literal["expert", "router", "oracle", "random"]

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5, 0.25)
"""Where the table beside the risk-coverage curve reads it."""


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Arrays of one length: the share answered, the share of errors in it, and the confidence it takes."""

    coverage: Sequence[float]
    risk: Sequence[float]
    threshold: Sequence[float]
    area: float

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `risk_coverage`."""
        coverage, risk, threshold = (floats(part[key]) for key in ("coverage", "risk", "threshold"))
        _same_length(coverage, risk, threshold)
        return cls(coverage, risk, threshold, float(part["area"]))

    def readings(self) -> list[tuple[float, float, float]]:
        """(coverage, risk, threshold) at the point of the curve nearest to each round coverage, each point once."""
        nearest = (min(range(len(self.coverage)), key=lambda at: abs(self.coverage[at] - to)) for to in COVERAGES)
        return [(self.coverage[at], self.risk[at], self.threshold[at]) for at in dict.fromkeys(nearest)]


@dataclass(frozen=True, slots=True)
class Bin:
    """Queries of like confidence: the bounds, their mean confidence, the share that is right."""

    low: float
    high: float
    confidence: float
    accuracy: Figure


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins of a reliability diagram, by rising confidence."""

    bins: Sequence[Bin]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `reliability`."""
        bins = []
        for row in part:
            low, high, confidence = floats([row["low"], row["high"], row["confidence"]])
            bins.append(Bin(low, high, confidence, Figure.from_dict(row["accuracy"])))
        _some(bins)
        return cls(bins)


@dataclass(frozen=True, slots=True)
class Point:
    """Something that answers queries, by its mean cost and quality."""

    name: str
    kind: Kind
    cost: Figure
    quality: Figure

    @property
    def drawable(self) -> bool:
        """Whether both are defined."""
        return math.isfinite(self.cost.value) and math.isfinite(self.quality.value)


@dataclass(frozen=True, slots=True)
class Line:
    """The corners of a hull."""

    costs: Sequence[float]
    qualities: Sequence[float]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read one hull; one that is missing or null has no corners."""
        costs, qualities = (floats((part or {}).get(key, ())) for key in ("costs", "qualities"))
        if len(costs) != len(qualities):
            message = "a hull needs as many costs as qualities"
            raise ValueError(message)
        return cls(costs, qualities)


@dataclass(frozen=True, slots=True)
class Frontier:
    """Cost against quality: points, the hull over all of them, and the hull over single experts."""

    points: Sequence[Point]
    hull: Line
    zero_hull: Line
    cost_unit: str

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `frontier`."""
        points = [_point(row) for row in part["points"]]
        _some([point for point in points if point.drawable])
        return cls(points, Line.of(part.get("hull")), Line.of(part.get("zero_hull")), str(part["cost_unit"]))


@dataclass(frozen=True, slots=True)
class Calls:
    """Quality against the share of calls to the strong one of two experts."""

    shares: Sequence[float]
    qualities: Sequence[float]
    weak: str
    strong: str

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `calls`."""
        shares, qualities = floats(part["shares"]), floats(part["qualities"])
        _same_length(shares, qualities)
        return cls(shares, qualities, str(part["weak"]), str(part["strong"]))


@dataclass(frozen=True, slots=True)
class Drafts:
    """Accuracy by the number of drafts that are allowed; calls: how many were made, a query, where that is known."""

    drafts: Sequence[float]
    accuracy: Sequence[Figure]
    calls: Sequence[float]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `drafts_curve`."""
        drafts, accuracy = floats(part["drafts"]), [Figure.from_dict(row) for row in part["accuracy"]]
        calls = [_plain(number) for number in part.get("calls") or drafts]
        _same_length(drafts, accuracy, calls)
        return cls(drafts, accuracy, calls)


def floats(row: Any) -> list[float]:
    """Finite numbers; raises ValueError for others."""
    found = [float(number) for number in row]
    if not all(math.isfinite(number) for number in found):
        message = "numbers that are not finite cannot be drawn"
        raise ValueError(message)
    return found


def _plain(number: Any) -> float:
    """A number, or the value of a figure."""
    return Figure.from_dict(number).value if isinstance(number, Mapping) else float(number)


def _point(row: Mapping[str, Any]) -> Point:
    kind: Kind = row["kind"]
    if kind not in get_args(Kind):
        message = f"no kind of point: {kind!r}"
        raise ValueError(message)
    return Point(str(row["name"]), kind, Figure.from_dict(row["cost"]), Figure.from_dict(row["quality"]))


def _some(rows: Sequence[object]) -> None:
    if not rows:
        message = "there is nothing to draw"
        raise ValueError(message)


def _same_length(*rows: Sequence[object]) -> None:
    _some(rows[0])
    if len({len(row) for row in rows}) > 1:
        message = "columns of different length"
        raise ValueError(message)
