"""Paired figures of what two artifacts say of the same queries. Knows no rules but their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import Flags, Reals
from eval.metrics.figures import share
from eval.metrics.means import mean_figure
from eval.promotion.rows import Row, Said
from eval.promotion.rules import RULES, Ruling, ruled

__all__ = ["measured"]

BINS = 15
FEWEST_CHANGED = 6
"""With fewer queries on which the two differ, resampling them says less than can be known: see `_difference`."""


def measured(
    rows: Sequence[Row],
    serving: Said,
    candidate: Said,
    *,
    known: Flags | None = None,
    tolerances: Mapping[str, float],
    seed: int,
) -> list[Ruling]:
    """A ruling on every figure that the rows can say something of. known: rows that the serving one has learned."""
    before, after = _values(rows, serving, known), _values(rows, candidate, known)
    rulings = []
    for name in RULES:
        there = ~np.isnan(_wanted(rows, name, known))
        if not there.any():
            continue
        figures = (
            _calibration(rows, serving, candidate, seed)
            if name == "ece"
            else _means(before[name], after[name], seed=seed, costs=name == "cost_usd")
        )
        rulings.append(ruled(name, *figures, tolerance=tolerances[name]))
    return rulings


def _values(rows: Sequence[Row], said: Said, known: Flags | None) -> dict[str, Reals]:
    """One value a row [n], NaN where it does not enter."""
    right = np.array([row.category is not None and row.category == sent for row, sent in _pairs(rows, said.sent)])
    likeliest = np.array([row.category is not None and row.category == top for row, top in _pairs(rows, said.top)])
    to_general = np.array([sent == said.general for sent in said.sent])
    labelled = np.array([row.category is not None for row in rows])
    strange = np.array([not row.in_scope for row in rows])
    grades = said.grades
    return {
        "accuracy": np.where(labelled, right, np.nan),
        "accuracy_known": np.where(labelled if known is None else labelled & known, right, np.nan),
        "false_reject": np.where(labelled & likeliest, ~right, np.nan),
        "gate_recall": np.where(strange, to_general, np.nan),
        "score": np.array([math.nan if grade is None else grade.score for grade in grades]),
        "cost_usd": np.array([_cost(grade.cost_usd if grade else None) for grade in grades]),
    }


def _pairs(rows: Sequence[Row], said: Sequence[str | None]) -> list[tuple[Row, str | None]]:
    return list(zip(rows, said, strict=True))


def _cost(usd: float | None) -> float:
    return math.nan if usd is None else usd


def _wanted(rows: Sequence[Row], name: str, known: Flags | None) -> Reals:
    """NaN for rows that say nothing of a figure, whatever is answered."""
    labelled = np.array([row.category is not None for row in rows])
    there: Sequence[bool]
    if name == "accuracy_known":
        told_apart = known is not None and not known[labelled].all()
        there = (labelled & told_apart).tolist()
    elif name in {"accuracy", "ece", "false_reject"}:
        there = labelled.tolist()
    elif name == "gate_recall":
        there = [not row.in_scope for row in rows]
    elif name == "score":
        there = [bool(row.outcomes) for row in rows]
    else:
        there = [any(grade.cost_usd is not None for grade in row.outcomes.values()) for row in rows]
    return np.where(there, 0.0, np.nan)


def _means(before: Reals, after: Reals, *, seed: int, costs: bool) -> tuple[Figure, Figure, Figure]:
    """Of the rows that enter on both sides; undefined where there are none."""
    both = ~np.isnan(before) & ~np.isnan(after)
    if not both.any():
        return UNDEFINED, UNDEFINED, UNDEFINED
    difference = _difference(after[both] - before[both], seed=seed, whole=not costs)
    return mean_figure(before[both], seed=seed), mean_figure(after[both], seed=seed), difference


def _difference(change: Reals, *, seed: int, whole: bool) -> Figure:
    """The mean change, with an interval that knows what it does not know.

    Where fewer than `FEWEST_CHANGED` queries changed, resampling would call a difference of nothing on three queries
    certain. Then the interval also holds what Wilson's intervals of the shares of losses and of gains allow (Newcombe
    1998, Statistics in Medicine 17, method 10, the two shares being rare), each change counted as a whole one.
    whole: whether a change is at most 1; costs have no such bound, and an unchanged cost is just that.
    """
    n = len(change)
    figure = Resampling(n, seed=seed).mean(change)
    changed = int(np.count_nonzero(change))
    if not whole or changed >= FEWEST_CHANGED:
        return figure
    gains, losses = share(int((change > 0).sum()), n), share(int((change < 0).sum()), n)
    low = figure.value - math.hypot(_down(gains), _up(losses))
    high = figure.value + math.hypot(_up(gains), _down(losses))
    if figure.ci95 is not None:
        low, high = min(low, figure.ci95[0]), max(high, figure.ci95[1])
    return Figure(figure.value, (low, high), n)


def _up(figure: Figure) -> float:
    return 0.0 if figure.ci95 is None else figure.ci95[1] - figure.value


def _down(figure: Figure) -> float:
    return 0.0 if figure.ci95 is None else figure.value - figure.ci95[0]


def _calibration(rows: Sequence[Row], serving: Said, candidate: Said, seed: int) -> tuple[Figure, Figure, Figure]:
    """Calibration errors and their difference, as statistics of the means of one column a bin and side."""
    there = np.array([row.category is not None for row in rows])
    gaps = np.hstack([_gaps(rows, said)[there] for said in (serving, candidate)])
    resampling = Resampling(int(there.sum()), seed=seed)

    def error(means: Reals) -> float:
        return float(np.abs(means).sum())

    return (
        resampling.of_means(gaps[:, :BINS], error),
        resampling.of_means(gaps[:, BINS:], error),
        resampling.of_means(gaps, lambda means: error(means[BINS:]) - error(means[:BINS])),
    )


def _gaps(rows: Sequence[Row], said: Said) -> Reals:
    """Right or not less confidence, in the column of its bin, [n, bins]; their means' sizes add up to the error."""
    right = np.array([row.category == top for row, top in _pairs(rows, said.top)], dtype=np.float64)
    confidence = np.nan_to_num(said.confidence)
    bin_of = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.zeros((len(rows), BINS))
    gaps[np.arange(len(rows)), bin_of] = right - confidence
    return gaps
