"""VariErr NLI as in LeWiDi 2025: does a statement follow from its context, by up to four people who may disagree.

Source: Le-Wi-Di/le-wi-di.github.io @ 45d7b06e, folder `LeWiDi_3-2025/VariErrNLI`. Licence: not stated.
Layout, here and in the original: `VariErrNLI_train.json`, `…_dev.json`, `…_test.json` (each plain or gzip), one object
{id: {text {context, statement}, annotations {annotator: labels}, split, …}}.
Traps:
- One person may give several labels, "entailment,neutral": they come in the order of the alphabet, not of preference,
  so they are kept as equally right.
- `soft_label` is a distribution for each label (given or not), not one over the labels. It follows from the
  annotations and is not read.
- There is no right answer: no record has a gold.
- An id names a context, and that is all: four ids of dev stand in train too, with another statement. So the split is
  part of a record's id, and who trains on train sees those contexts.
- Ids are keys: one that stands twice in a file would vanish in a parser. It is an error.
"""

from __future__ import annotations

from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.entries import json_entries
from eval.datasets.lines import Row, files_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Record

__all__ = ["read"]

LABELS = ("entailment", "neutral", "contradiction")
SPLITS = ("train", "dev", "test")


def read(path: Path) -> Dataset:
    """One split's file, or the folder of all; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    skipped: list[Skipped] = []
    for file in files_of(path, *(f"VariErrNLI_{split}.json{gz}" for split in SPLITS for gz in ("", ".gz"))):
        for identity, place, item in json_entries(file, problems):
            with problems.at(place):
                if not isinstance(item, dict):
                    raise Wrong("expected an object")
                record = _record(identity, Row(place, item))
                if record.labels:
                    records.append(record)
                else:
                    skipped.append(Skipped(place, "nobody has labelled it"))
    return assemble(str(path), records, problems, skipped=skipped)


def _record(identity: str, row: Row) -> Record:
    text = row.row("text")
    annotations = row.row("annotations")
    split = row.text("split")
    return Record(
        id=f"{split}-{identity}",
        query=f"Context: {text.text('context')}\nStatement: {text.text('statement')}",
        options=LABELS,
        labels={annotator: (_labels(annotations.text(annotator)),) for annotator in annotations.values},
        split=split,
        source=row.place,
    )


def _labels(given: str) -> str | tuple[str, ...]:
    """One label, or several that are equally right."""
    labels = tuple(label.strip() for label in given.split(","))
    for label in labels:
        if label not in LABELS:
            raise Wrong(f"annotations: unknown label {label!r}", unknown=label, known=LABELS)
    if len(set(labels)) < len(labels):
        raise Wrong(f"annotations: a label twice by one annotator in {given!r}")
    return labels if len(labels) > 1 else labels[0]
