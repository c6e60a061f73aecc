"""Noticing queries that belong to no category: by how strange they are to the gate. Knows its values, not routers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import Flags, Reals
from eval.metrics.detection import auroc, threshold_keeping
from eval.suites.categories.answers import Answers

__all__ = ["KEPT", "auroc_figure", "scope_values"]

KEPT = 0.95
"""The share of queries in scope that a threshold is to let through."""


def auroc_figure(answers: Answers, in_scope: Flags, *, seed: int) -> Figure:
    """Of strangeness as the gate sees it; each resample keeps the number of queries of both kinds."""
    if in_scope.all() or not in_scope.any():
        return UNDEFINED
    strangeness = -answers.familiarity
    resampling = Resampling(len(in_scope), seed=seed, strata=in_scope)
    return resampling.of_rows(lambda rows: auroc(strangeness[rows], ~in_scope[rows]))


def scope_values(answers: Answers, in_scope: Flags, validation: Reals | None) -> Mapping[str, Reals]:
    """One value a query [n] by figure, NaN where it does not enter: who is found, caught and kept.

    validation: familiarities of queries in scope that are neither learned from nor judged, on which the threshold of
    `ood_recall_at_95` is set. Without them it is that of the other routers' queries, which theirs had not seen; with
    one router alone that of the judged queries in scope, which it flatters a little.
    """
    strangeness = -answers.familiarity
    found = strangeness > _thresholds(answers, in_scope, validation)
    return {
        "ood_recall_at_95": np.where(in_scope, np.nan, found),
        "ood_gated": np.where(in_scope, np.nan, answers.gated),
        "in_scope_kept": np.where(in_scope, ~answers.gated, np.nan),
    }


def _thresholds(answers: Answers, in_scope: Flags, validation: Reals | None) -> Reals:
    """The strangeness that each query must exceed to be found, [n]."""
    if validation is not None:
        return np.full(len(in_scope), threshold_keeping(-validation, kept=KEPT))
    strangeness = -answers.familiarity
    thresholds = np.empty(len(in_scope))
    judges = np.unique(answers.judge)
    for judge in judges:
        here = answers.judge == judge
        others = in_scope & ~here if len(judges) > 1 else in_scope
        thresholds[here] = threshold_keeping(strangeness[others], kept=KEPT)
    return thresholds
