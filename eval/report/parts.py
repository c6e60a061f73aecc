"""Which parts of findings the report knows: their order, their titles, what a reader is to see in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eval.report import curves, tables

__all__ = ["KNOWN", "Kind", "Part", "Raw", "parts_of"]

LONGEST_JSON = 20_000
"""More characters than this of a part that we do not know are left out."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A part that the report knows by its key: how it is read, and what stands over it."""

    read: Callable[[Any], object]
    title: str
    explanation: str


KNOWN: Mapping[str, Kind] = MappingProxyType(
    {
        "frontier": Kind(
            curves.Frontier.of,
            "Cost and quality",
            "Up and to the left is better. The dashed line is what a coin between single experts reaches; "
            "routing pays where it comes out above that line.",
        ),
        "calls": Kind(
            curves.Calls.of,
            "Quality by share of strong calls",
            "A router pays where its curve stands above the straight line, which is what a coin reaches.",
        ),
        "drafts_curve": Kind(
            curves.Drafts.of,
            "Accuracy by number of drafts",
            "What each further draft adds, and what it costs in calls.",
        ),
        "heat_map": Kind(
            tables.HeatMap.of,
            "Who is good at what",
            "The stronger the tint, the higher. The best of each row is framed; its interval shows when pointed at.",
        ),
        "reliability": Kind(
            curves.Reliability.of,
            "Reliability",
            "Of the queries with a certain confidence, how many were right. On the diagonal, confidence means what it "
            "says; below it, the router is too sure of itself.",
        ),
        "risk_coverage": Kind(
            curves.RiskCoverage.of,
            "Risk and coverage",
            "The share of errors when only the most confident queries are answered. The further the curve falls "
            "to the left, the better confidence tells right from wrong.",
        ),
        "confusion": Kind(
            tables.Confusion.of,
            "Confusion",
            "Each row is a true category, each column where its queries were sent. Tints are shares of the row, those "
            "of mistakes on a stronger scale.",
        ),
        "slices": Kind(tables.Slices.of, "Worst slices", "Where it does worst, with some of the queries."),
        "errors": Kind(tables.Errors.of, "Errors", "Failures by class."),
    }
)
"""In the order of the report."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A part that the report cannot draw, as JSON; `left_out` characters of it are cut off."""

    text: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of findings, read: `view` is what its kind makes of it, or `Raw`."""

    name: str
    title: str
    explanation: str
    view: object


def parts_of(found: Mapping[str, Any]) -> Iterator[Part]:
    """Every part, those that are known first; one that is not of the shape we know is shown as JSON."""
    for name, kind in KNOWN.items():
        if name in found:
            try:
                yield Part(name, kind.title, kind.explanation, kind.read(found[name]))
            except (KeyError, TypeError, ValueError, AttributeError):
                yield _raw(name, found[name])
    for name in sorted(found.keys() - KNOWN.keys()):
        yield _raw(name, found[name])


def _raw(name: str, part: Any) -> Part:
    text = json.dumps(part, indent=1, ensure_ascii=False)
    return Part(name, name, "", Raw(text[:LONGEST_JSON], max(0, len(text) - LONGEST_JSON)))
