"""A data set that has been read: its records, its documents, and what was wrong or left out on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eval.datasets.record import Record, ToolSpec

__all__ = ["DataError", "Dataset", "Document", "Skipped"]


class DataError(Exception):
    """Data that cannot be used; `problems` has one printable line each, with its place (file:line)."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that was left out on purpose: where it stands and why (a NaN score, a contaminated prompt)."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a collection that queries search in."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Records in the order of the source.

    documents: by id, where the set has a collection. catalogue: tools that all records choose from. skipped: rows
    left out, each with its reason; never silent. notes: what a reader of the figures has to know.
    """

    name: str
    records: tuple[Record, ...]
    documents: Mapping[str, Document] = field(default_factory=dict)
    catalogue: tuple[ToolSpec, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
