"""Figures as rows of a report: what stands in the summary, what forms a group, and where its bar is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from eval.findings import Figures, Findings, flat
from eval.measures import Measure, measure
from eval.metrics import Figure
from eval.report.numbers import SHARES, Scale, interval, scale_of, value

__all__ = ["Bar", "Group", "Row", "bar_of", "groups", "key_rows", "summary"]

KEY_FIGURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "categories": ("accuracy", "macro_f1", "ece", "coverage", "auroc_ood"),
        "mapping": ("plan", "best_single", "oracle", "gap_closed"),
        "retrieval": ("ndcg10.mean.router", "ndcg10.mean.best_single", "ndcg10.mean.instance_oracle", "gap_closed"),
        "fusion": ("policy", "best_single", "majority", "oracle", "calls"),
        "tools": ("recall1", "recall5", "abstain_precision", "abstain_recall"),
        "uncertain": ("accuracy.router", "ua_accuracy.router", "certainty"),
        "pipeline": ("score", "answered", "latency_s", "cost_usd"),
    }
)
"""By suite, the dotted names of the figures at the head of its report; else the first of the summary."""

MOST_KEYS = 4
FEW, SHORT = 6, 18
"""Groups of at most so many figures with names of at most so many characters stand two in a row."""
SMALL = 0.1
"""Below this a share gets an axis of its own: on one from 0 to 1 nothing would be seen of it."""
ARROWS = MappingProxyType({"higher": "↑", "lower": "↓", "neither": ""})


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its interval on an axis, in percent of its length; ends: what stands at both ends of the axis."""

    low: float
    at: float
    high: float
    ends: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure under the name that the reader sees; `bar` is None for an undefined one."""

    name: str
    figure: Figure
    measure: Measure
    bar: Bar | None

    @property
    def value(self) -> str:
        """The value as text."""
        return value(self.figure)

    @property
    def interval(self) -> str:
        """The 95 % interval as text, empty where there is none."""
        return interval(self.figure)

    @property
    def arrow(self) -> str:
        """Which way is better, as an arrow; empty for what only describes."""
        return ARROWS[self.measure.better]


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of one measure on one scale, highest first; `worst` has the few that matter where there are many."""

    title: str
    measure: Measure
    scale: Scale
    rows: Sequence[Row]

    @property
    def n(self) -> int | None:
        """The number of queries, where it is the same for every figure that is defined."""
        sizes = {row.figure.n for row in self.rows if row.bar is not None}
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def small(self) -> bool:
        """Whether half the width of a page is enough."""
        return self.n is not None and len(self.rows) <= FEW and all(len(row.name) <= SHORT for row in self.rows)

    def worst(self, most: int) -> Sequence[Row]:
        """At most `most` rows from the bad end, in the order of `rows`; without a good end from the low one."""
        defined = [row for row in self.rows if row.bar is not None]
        return defined[:most] if self.measure.better == "lower" else defined[-most:]


def summary(figures: Figures) -> list[Row]:
    """The figures that stand alone, in their own order."""
    return [_row(name, found) for name, found in figures.items() if isinstance(found, Figure)]


def key_rows(findings: Findings) -> list[Row]:
    """The few rows that a hurried reader wants."""
    figures = dict(flat(findings.figures))
    wanted = [_row(name, figures[name]) for name in KEY_FIGURES.get(findings.suite, ()) if name in figures]
    return (wanted or summary(findings.figures))[:MOST_KEYS]


def groups(figures: Figures) -> list[Group]:
    """One group for every tree of figures that holds some itself, named by its dotted name; small ones come last."""
    found_groups = [
        _group(title, held)
        for name, found in figures.items()
        if not isinstance(found, Figure)
        for title, held in _trees(name, found)
    ]
    return sorted(found_groups, key=lambda group: group.small)


def bar_of(figure: Figure, scale: Scale) -> Bar | None:
    """Where a figure is drawn on a scale; None for an undefined one."""
    if math.isnan(figure.value):
        return None
    low, high = figure.ci95 or (figure.value, figure.value)
    marks = scale.marks
    return Bar(scale.at(low), scale.at(figure.value), scale.at(high), (marks[0][1], marks[-1][1]))


def _row(name: str, figure: Figure) -> Row:
    ends = (figure.value, *(figure.ci95 or ()))
    is_share = all(0 <= end <= 1 for end in ends) and max(ends) >= SMALL
    scale = SHARES if is_share else _from_zero(figure)
    return Row(name, figure, measure(name), bar_of(figure, scale))


def _from_zero(figure: Figure) -> Scale:
    """A bar that stands alone starts at 0, else its length would mean nothing."""
    return scale_of([figure, Figure(0.0, None, 0)], parts=2)


def _trees(title: str, figures: Figures) -> Iterator[tuple[str, dict[str, Figure]]]:
    held = {name: found for name, found in figures.items() if isinstance(found, Figure)}
    if held:
        yield title, held
    for name, found in figures.items():
        if not isinstance(found, Figure):
            yield from _trees(f"{title}.{name}", found)


def _group(title: str, figures: Mapping[str, Figure]) -> Group:
    scale = scale_of(figures.values())
    kinds = {name: measure(f"{title}.{name}") for name in figures}
    rows = [Row(name, figure, kinds[name], bar_of(figure, scale)) for name, figure in figures.items()]
    rows.sort(key=lambda row: math.inf if math.isnan(row.figure.value) else -row.figure.value)
    return Group(title, next(iter(kinds.values())), scale, rows)
