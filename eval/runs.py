"""What a run stood on, as JSON that is the same for the same data, settings and seed: no times, no paths of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from eval.datasets import Dataset, Record
from routers.manifest import library_versions

__all__ = ["describe", "notes_of", "query_ids"]


def describe(datasets: Sequence[Dataset], *, seed: int, **settings: Any) -> dict[str, Any]:
    """The data (name, rows, rows left out, hash of ids and queries), the seed, what else was set, and the libraries."""
    return {
        "data": [
            {
                "name": dataset.name,
                "rows": len(dataset.records),
                "left_out": len(dataset.skipped),
                "sha256": _sha256(dataset.records),
            }
            for dataset in datasets
        ],
        "seed": seed,
        "settings": {name: value for name, value in settings.items() if value is not None},
        "versions": library_versions(),
    }


def notes_of(datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """What the readers have to say, and how many rows they left out, each with its data set's name."""
    notes: list[str] = []
    for dataset in datasets:
        notes += [f"{dataset.name}: {note}" for note in dataset.notes]
        if dataset.skipped:
            first = dataset.skipped[0]
            notes.append(f"{dataset.name}: {len(dataset.skipped)} rows left out, first {first.place} ({first.reason})")
    return tuple(notes)


def query_ids(datasets: Sequence[Dataset]) -> tuple[str, ...]:
    """One id a record over all data sets, in order; with more than one set, each id carries its set's name."""
    if len(datasets) == 1:
        return tuple(record.id for record in datasets[0].records)
    return tuple(f"{dataset.name}#{record.id}" for dataset in datasets for record in dataset.records)


def _sha256(records: Sequence[Record]) -> str:
    digest = hashlib.sha256()
    for record in records:
        for part in (record.id, record.query):
            content = part.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()
