"""Figures of answers: means over the queries in scope, calibration, and what is out of scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.findings import Figures, PerQuery
from eval.metrics import Figure, Resampling, macro_f1
from eval.metrics.arrays import Flags, IntArray, Reals
from eval.metrics.calibration import brier_terms, covered, set_sizes
from eval.metrics.classification import in_top_k
from eval.metrics.means import mean_figure
from eval.suites.categories.answers import Answers
from eval.suites.categories.queries import Query
from eval.suites.categories.scope import auroc_figure, scope_values

__all__ = ["Judged", "figures_of", "judged", "per_query"]

BINS = 15
MOST_CELLS = 250_000
"""More values of recalls than this, one a query and category, are not kept a query."""

SHARES = ("accuracy", "top_accuracy", "top3", "coverage", "gated", "answered_fast")
OUT_OF_SCOPE = ("ood_recall_at_95", "ood_gated", "in_scope_kept")


@dataclass(frozen=True, eq=False)
class Judged:
    """Queries and what was said of them. truth: column of each query's category, -1 where it is out of scope [n].

    values: one a query by dotted figure, NaN where it does not enter [n].
    """

    queries: tuple[Query, ...]
    answers: Answers
    truth: IntArray
    values: dict[str, Reals]

    @property
    def in_scope(self) -> Flags:
        """Which queries have a category, [n]."""
        inside: Flags = self.truth >= 0
        return inside

    @property
    def names(self) -> list[str]:
        """The categories that occur, in order."""
        return [self.answers.categories[column] for column in np.unique(self.truth[self.in_scope])]

    def pairs(self) -> tuple[list[str], list[str]]:
        """Of the queries in scope: their true categories, and those they were sent to."""
        categories, inside = self.answers.categories, self.in_scope
        true, sent = self.truth[inside], self.answers.sent[inside]
        return [categories[column] for column in true], [categories[column] for column in sent]


def judged(queries: Sequence[Query], answers: Answers, *, validation: Reals | None = None) -> Judged:
    """Compare what was said with what is true; validation: see `scope_values`."""
    column = {name: number for number, name in enumerate(answers.categories)}
    truth = np.array([-1 if query.category is None else column[query.category] for query in queries], dtype=np.intp)
    inside = truth >= 0
    values = {name: _spread(found, inside) for name, found in _in_scope(answers, truth, inside).items()}
    if not np.isnan(answers.fast).all():
        values["answered_fast"] = np.where(inside, answers.fast, np.nan)
    for number in np.unique(truth[inside]).tolist():
        name = f"recall.{answers.categories[number]}"
        values[name] = np.where(truth == number, answers.sent == number, np.nan)
    if not inside.all():
        values.update(scope_values(answers, inside, validation))
    values.update({f"flip_rate.{kind}": flipped for kind, flipped in answers.flipped.items()})
    return Judged(tuple(queries), answers, truth, values)


def figures_of(found: Judged, *, seed: int) -> Figures:
    """Every figure of the suite, in the order of its documentation."""
    values = found.values
    means = {name: mean_figure(values[name], seed=seed) for name in (*SHARES, *OUT_OF_SCOPE) if name in values}
    resampling = Resampling(int(found.in_scope.sum()), seed=seed)
    figures: dict[str, Figure | Figures] = {
        "accuracy": means["accuracy"],
        "top_accuracy": means["top_accuracy"],
        "macro_f1": macro_f1(*found.pairs(), resampling=resampling),
        "top3": means["top3"],
        "ece": _calibration_error(found, resampling),
        "brier": resampling.mean(values["brier"][found.in_scope]),
        "coverage": means["coverage"],
        "mean_set_size": resampling.mean(values["mean_set_size"][found.in_scope]),
        "gated": means["gated"],
        **({"answered_fast": means["answered_fast"]} if "answered_fast" in means else {}),
        "recall": {name: mean_figure(values[f"recall.{name}"], seed=seed) for name in found.names},
    }
    if not found.in_scope.all():
        figures["auroc_ood"] = auroc_figure(found.answers, found.in_scope, seed=seed)
        figures |= {name: means[name] for name in OUT_OF_SCOPE}
    if kinds := found.answers.flipped:
        figures["flip_rate"] = {kind: mean_figure(values[f"flip_rate.{kind}"], seed=seed) for kind in kinds}
    return figures


def per_query(found: Judged) -> PerQuery:
    """The values of single queries; without the recalls where there are too many categories for so many queries."""
    few = len(found.names) * len(found.queries) <= MOST_CELLS
    kept = {name: column for name, column in found.values.items() if few or not name.startswith("recall.")}
    return PerQuery(ids=tuple(query.id for query in found.queries), values=kept)


def _in_scope(answers: Answers, truth: IntArray, inside: Flags) -> dict[str, Reals]:
    """What is measured of each query in scope alone, [m]."""
    labels = truth[inside]
    posterior, sets = answers.posterior[inside], answers.sets[inside]
    return {
        "accuracy": (answers.sent[inside] == labels).astype(np.float64),
        "top_accuracy": (answers.top[inside] == labels).astype(np.float64),
        "top3": in_top_k(posterior, labels, 3).astype(np.float64),
        "brier": brier_terms(posterior, labels),
        "coverage": covered(sets, labels).astype(np.float64),
        "mean_set_size": set_sizes(sets).astype(np.float64),
        "gated": answers.gated[inside].astype(np.float64),
    }


def _spread(values: Reals, rows: Flags) -> Reals:
    """The values at their rows, NaN elsewhere."""
    spread = np.full(len(rows), np.nan)
    spread[rows] = values
    return spread


def _calibration_error(found: Judged, resampling: Resampling) -> Figure:
    """`expected_calibration_error` as a statistic of means, for its interval: the gaps of each bin, summed."""
    inside = found.in_scope
    confidence = found.answers.confidence[inside]
    bin_of = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.zeros((len(confidence), BINS))
    gaps[np.arange(len(confidence)), bin_of] = found.values["top_accuracy"][inside] - confidence
    return resampling.of_means(gaps, lambda means: float(np.abs(means).sum()))
