"""Who says which label: experts in their drafts, a router learned on the voted labels, a constant, the annotators.

A prediction is the number of a label: `NO_LABEL` for an answer that is none, `NOT_ASKED` where nothing was predicted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.datasets import DataError
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.uncertain import plausibilities
from eval.splits import folds_of
from eval.suites.uncertain.truths import NO_LABEL, Truths
from routers.classify.linear import LinearClassifier
from routers.embedding import Embedder

__all__ = ["NOT_ASKED", "Panel", "constant", "drafted", "experts_of", "panel_of", "routed"]

NOT_ASKED = -2


def experts_of(truths: Truths, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Everybody with a draft, sorted, or those wanted; raises DataError for one that has none."""
    there = sorted({expert for truth in truths.queries for expert in truth.record.drafts})
    if unknown := [expert for expert in wanted or () if expert not in there]:
        known = ", ".join(there) or "none"
        raise DataError([f"--experts: no draft by {', '.join(map(repr, unknown))}; drafts are by: {known}"])
    return tuple(there if wanted is None else wanted)


def drafted(truths: Truths, expert: str) -> IntArray:
    """The labels that an expert's answers name, [n]."""
    number = {label: position for position, label in enumerate(truths.labels)}
    said = np.full(len(truths.queries), NOT_ASKED)
    for row, truth in enumerate(truths.queries):
        if (draft := truth.record.drafts.get(expert)) is not None:
            said[row] = number.get((draft.answer or "").strip(), NO_LABEL)
    return said


def constant(truths: Truths) -> IntArray:
    """The label that the other queries were given most often, [n]; of equal ones the first."""
    votes = truths.voted
    counts = np.bincount(votes[votes != NO_LABEL], minlength=len(truths.labels))
    others = np.tile(counts, (len(votes), 1))
    known = np.flatnonzero(votes != NO_LABEL)
    others[known, votes[known]] -= 1
    return np.where(others.any(axis=1), others.argmax(axis=1), NOT_ASKED)


def routed(
    truths: Truths, embedder: Embedder, *, folds: int, seed: int, progress: Callable[[int, int], None]
) -> IntArray:
    """What a linear classifier says that learned the voted labels of the other folds, [n].

    Queries without a voted label are judged, and teach nothing. Raises DataError: too few queries for the folds.
    """
    said = np.full(len(truths.queries), NOT_ASKED)
    texts = [truth.record.query for truth in truths.queries]
    names = {label: position for position, label in enumerate(truths.labels)}
    for done, split in enumerate(folds_of([truth.record for truth in truths.queries], folds=folds, seed=seed)):
        progress(done, folds)
        learned = [row for row in split.learned.tolist() if truths.voted[row] != NO_LABEL]
        given = [truths.labels[truths.voted[row]] for row in learned]
        if len(set(given)) < 2:  # noqa: PLR2004 - a classifier tells two apart
            raise DataError([f"{len(learned)} queries with a voted label, all of one: no router can be learned"])
        router = LinearClassifier(embedder).fit([texts[row] for row in learned], given)
        best = router.logits([texts[row] for row in split.judged.tolist()]).argmax(axis=1)
        said[split.judged] = [names[router.classes_[column]] for column in best.tolist()]
    progress(folds, folds)
    return said


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Each annotator of a query against the others: pairs [p] of a query and an annotator who is not alone.

    row: the query, ascending. said: that annotator's label. irn: what the others make of it, [p, labels].
    """

    row: IntArray
    said: IntArray
    irn: Reals


def panel_of(truths: Truths, *, seed: int) -> Panel | None:
    """Of labels that somebody holds to be equally right one is drawn, by the seed; None where all annotate alone."""
    row: list[int] = []
    said: list[int] = []
    irn: list[Reals] = []
    for position, truth in enumerate(truths.queries):
        for who, groups in truth.annotations.items():
            others = [given for other, given in truth.annotations.items() if other != who]
            if others:
                draw = random.Random(f"{seed}\0{truth.id}\0{who}")  # noqa: S311 - a reproducible tie
                row.append(position)
                said.append(draw.choice(groups[0]))
                irn.append(plausibilities(others, labels=len(truths.labels)))
    return Panel(np.array(row), np.array(said), np.stack(irn)) if row else None
