"""Plain and uncertainty-adjusted accuracy of whoever predicts, and how certain the annotations are.

Stutz et al. 2023 (arXiv 2307.02191); the formulas stand in `eval.metrics.uncertain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from eval.datasets import DataError, Dataset
from eval.findings import Findings, PerQuery, nested
from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import Flags, IntArray, Reals
from eval.metrics.means import mean_figure
from eval.metrics.uncertain import certainties, sample_top, sampled_right
from eval.runs import describe, notes_of
from eval.suites.uncertain.parts import heat_map, slices
from eval.suites.uncertain.predictions import NOT_ASKED, Panel, constant, drafted, experts_of, panel_of, routed
from eval.suites.uncertain.truths import NO_LABEL, Truths, truths_of, voted
from routers.embedding import Embedder

__all__ = ["ANNOTATORS", "CONSTANT", "ROUTER", "judge_uncertain"]

Progress: TypeAlias = Callable[[str, int, int], None]
Path: TypeAlias = tuple[str, ...]
"""Where a figure stands in the tree: names of experts may hold dots."""

ROUTER, CONSTANT, ANNOTATORS = "router", "majority_label", "annotators"
DRAWS = 1000


def judge_uncertain(
    datasets: Sequence[Dataset],
    *,
    embedder: Embedder | None = None,
    experts: Sequence[str] | None = None,
    trust: Sequence[float] = (5.0,),
    folds: int = 5,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Judge the experts' drafts, else a router learned by folds; and beside them a constant and the annotators.

    accuracy: against the voted label; queries without one (a tie) do not enter. ua_accuracy: against labels sampled
    from what the annotators may have meant; ua_spread: its standard deviation over `draws` samples. trust: in the
    annotators; of several each has figures of its own, as ua_accuracy.T5. experts: only these. embedder: of the
    router; None for none.

    Raises:
        DataError: no labels, unusable ones, nobody to judge, or too few queries for the folds.
    """
    truths = truths_of(datasets)
    said = _said(truths, experts, embedder=embedder, folds=folds, seed=seed, progress=progress)
    panel = panel_of(truths, seed=seed)
    values: dict[Path, Reals] = {("accuracy", who): _plain(row, truths.voted) for who, row in said.items()}
    if panel is not None:
        values["accuracy", ANNOTATORS] = _a_query(panel, _plain(panel.said, voted(panel.irn)), len(truths.queries))
    spreads: dict[Path, Figure] = {}
    for done, level in enumerate(trust):
        progress("sampling", done, len(trust))
        below = (f"T{level:g}",) if len(trust) > 1 else ()
        top = sample_top(truths.irn, trust=level, draws=draws, seed=seed)
        values["certainty", *below] = certainties(top, labels=len(truths.labels)).max(axis=1)
        for who, right in _sampled(truths, said, panel, top=top, trust=level, seed=seed):
            values["ua_accuracy", *below, who] = right.mean(axis=1)
            spreads["ua_spread", *below, who] = _spread(right, seed=seed)
    progress("sampling", len(trust), len(trust))
    return Findings(
        suite="uncertain",
        run=describe(
            datasets,
            seed=seed,
            trust=list(trust),
            draws=draws,
            folds=folds if ROUTER in said else None,
            experts=None if experts is None else list(experts),
            embedder=embedder.fingerprint if embedder is not None and ROUTER in said else None,
        ),
        figures=nested({path: mean_figure(row, seed=seed) for path, row in values.items()} | spreads),
        parts={"slices": slices(truths, said), "heat_map": heat_map(truths, said)},
        queries=PerQuery(
            ids=tuple(truth.id for truth in truths.queries),
            values={".".join(path): row for path, row in values.items()},
        ),
        notes=(*notes_of(datasets), *_notes(truths, said, panel)),
    )


def _said(
    truths: Truths,
    experts: Sequence[str] | None,
    *,
    embedder: Embedder | None,
    folds: int,
    seed: int,
    progress: Progress,
) -> dict[str, IntArray]:
    """What everybody but the annotators predicts, by name, [n] each."""
    names = experts_of(truths, experts)
    if taken := [name for name in names if name in {ROUTER, CONSTANT, ANNOTATORS}]:
        raise DataError([f"{taken[0]!r} is what this suite calls a prediction of its own: name that expert otherwise"])
    said = {name: drafted(truths, name) for name in names}
    if not names and embedder is not None:
        said[ROUTER] = routed(truths, embedder, folds=folds, seed=seed, progress=partial(progress, "learning"))
    return {**said, CONSTANT: constant(truths)}


def _plain(said: IntArray, truth: IntArray) -> Reals:
    """Whether the voted label was said, [n]; NaN where there is none, or nothing was asked."""
    return np.where((truth == NO_LABEL) | (said == NOT_ASKED), np.nan, (said == truth).astype(np.float64))


def _sampled(
    truths: Truths, said: Mapping[str, IntArray], panel: Panel | None, *, top: IntArray, trust: float, seed: int
) -> Iterator[tuple[str, Reals]]:
    """Who predicts, and whether each sampled label was said, [n, draws]; of annotators the share who said it."""
    k = len(truths.labels)
    for who, labels in said.items():
        right = sampled_right(_one_hot(labels, k), top).astype(np.float64)
        right[labels == NOT_ASKED] = np.nan
        yield who, right
    if panel is not None:
        others = sample_top(panel.irn, trust=trust, draws=top.shape[1], seed=seed)
        right = sampled_right(_one_hot(panel.said, k), others).astype(np.float64)
        yield ANNOTATORS, _a_query(panel, right, len(truths.queries))


def _one_hot(said: IntArray, labels: int) -> Flags:
    """Predicted sets [n, labels] of one label each, or of none."""
    sets: Flags = said[:, None] == np.arange(labels)
    return sets


def _a_query(panel: Panel, pairs: Reals, n: int) -> Reals:
    """The mean over each query's annotators, [p] -> [n] or [p, draws] -> [n, draws]; NaN pairs do not enter."""
    there = ~np.isnan(pairs)
    sums, counts = np.zeros((n, *pairs.shape[1:])), np.zeros((n, *pairs.shape[1:]))
    np.add.at(sums, panel.row, np.where(there, pairs, 0.0))
    np.add.at(counts, panel.row, there)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _spread(right: Reals, *, seed: int) -> Figure:
    """The standard deviation of the accuracy over samples of the truth, [n, draws].

    Truths of queries are sampled independently, so the variance of their mean is the mean of theirs over n. The
    bootstrap needs this form: a query drawn twice would bring the same samples twice, and look like more doubt.
    """
    variances = right[~np.isnan(right[:, 0])].var(axis=1)
    n = len(variances)
    if n == 0:
        return UNDEFINED
    return Resampling(n, seed=seed).of_means(variances[:, None], lambda means: float(np.sqrt(means[0] / n)))


def _notes(truths: Truths, said: Mapping[str, IntArray], panel: Panel | None) -> list[str]:
    notes: list[str] = []
    if truths.unlabelled:
        notes.append(f"{truths.unlabelled} queries are left out: nobody annotated them")
    if tied := int((truths.voted == NO_LABEL).sum()):
        notes.append(f"{tied} queries have no voted label (a tie): they do not enter the plain accuracy")
    if panel is None:
        notes.append("no query has two annotators: they cannot be judged by each other")
    for who, labels in said.items():
        if strange := int((labels == NO_LABEL).sum()):
            notes.append(f"{who}: {strange} drafts hold none of the labels: they count as wrong")
        if who != CONSTANT and (silent := int((labels == NOT_ASKED).sum())):
            notes.append(f"{who}: {silent} queries without a draft do not enter its figures")
    return notes
