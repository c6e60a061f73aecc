"""What annotators make the truth of each query: plausibilities of the labels, and the voted one. Knows no predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eval.datasets import Dataset, Record
from eval.datasets.problems import Problems
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.uncertain import Annotation, plausibilities
from eval.runs import query_ids

__all__ = ["NO_LABEL", "Truth", "Truths", "truths_of", "voted"]

Named: TypeAlias = Sequence[str | Sequence[str]]
"""One annotator's labels by name, as in a record."""

NO_LABEL = -1
ALIKE = 1e-9
"""Plausibilities this close are equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A query that somebody annotated. id: unique over all data sets. annotations: by annotator, labels as numbers."""

    id: str
    record: Record
    annotations: Mapping[str, Annotation]


@dataclass(frozen=True, slots=True, eq=False)
class Truths:
    """The annotated queries of some data sets.

    labels: their names by number. irn: plausibilities, [n, labels]. voted: the label that is most plausible, [n],
    `NO_LABEL` where several are. unlabelled: queries that are left out, as nobody annotated them.
    """

    queries: tuple[Truth, ...]
    labels: tuple[str, ...]
    irn: Reals
    voted: IntArray
    unlabelled: int


def truths_of(datasets: Sequence[Dataset]) -> Truths:
    """All that annotators say.

    The labels are the options, where all records have the same ones and nobody names another; else all that are named,
    sorted.

    Raises:
        DataError: an annotator who names a label twice, fewer than two labels, or nobody who annotated anything.
    """
    problems = Problems()
    records = [record for dataset in datasets for record in dataset.records]
    annotated = [(i, record) for i, record in enumerate(records) if any(record.labels.values())]
    labels = _labels_of([record for _, record in annotated])
    if not annotated:
        names = ", ".join(dataset.name for dataset in datasets)
        problems.add(names, "no record has labels by annotator (labels); read such a set, as varierr")
    elif len(labels) < 2:  # noqa: PLR2004 - one label cannot be doubted
        problems.add(annotated[0][1].source, f"all annotators name one label, {labels[0]!r}; two are needed")
    number = {label: position for position, label in enumerate(labels)}
    ids = query_ids(datasets)
    queries: list[Truth] = []
    irn: list[Reals] = []
    for i, record in annotated:
        annotations = {who: _numbered(given, number) for who, given in record.labels.items() if given}
        try:
            irn.append(plausibilities(list(annotations.values()), labels=len(labels)))
        except ValueError:
            problems.add(
                record.source or ids[i], f"labels: an annotator names a label twice in {dict(record.labels)!r}"
            )
        queries.append(Truth(ids[i], record, annotations))
    problems.check()
    stacked = np.stack(irn)
    return Truths(tuple(queries), labels, stacked, voted(stacked), len(records) - len(queries))


def voted(irn: Reals) -> IntArray:
    """The most plausible label of each row, [n]; `NO_LABEL` where several are."""
    tied = (irn >= irn.max(axis=1, keepdims=True) - ALIKE).sum(axis=1) > 1
    return np.where(tied, NO_LABEL, irn.argmax(axis=1))


def _labels_of(records: Sequence[Record]) -> tuple[str, ...]:
    named = {
        label for record in records for given in record.labels.values() for group in _groups(given) for label in group
    }
    options = {record.options for record in records}
    if len(options) == 1 and named <= set(*options):
        return tuple(dict.fromkeys(*options))
    return tuple(sorted(named))


def _numbered(given: Named, number: Mapping[str, int]) -> Annotation:
    return [[number[label] for label in group] for group in _groups(given)]


def _groups(given: Named) -> list[list[str]]:
    return [[group] if isinstance(group, str) else list(group) for group in given]
