"""Which queries are learned from and which are judged. Knows texts, not what is learned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eval.datasets import DataError, Record
from eval.metrics.arrays import IntArray

__all__ = ["Split", "folds_of", "split_names", "text_folds", "text_key", "train_then_judged"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Positions of records: those to learn from and those to judge by, without a text in common."""

    learned: IntArray
    judged: IntArray


def text_key(text: str) -> str:
    """The same for queries that are the same but for case and spacing."""
    return " ".join(text.lower().split())


def text_folds(texts: Sequence[str], *, folds: int, seed: int) -> IntArray:
    """The fold of each text, 0 to folds - 1, [n].

    By a hash of the seed and the text, so that a query that stands twice is never on both sides, and adding or
    reordering records leaves the folds of the others as they are. Case and spacing do not count.
    """
    return np.array([_hash(f"{seed}\0{text_key(text)}") % folds for text in texts], dtype=np.intp)


def folds_of(records: Sequence[Record], *, folds: int, seed: int) -> Iterator[Split]:
    """Each fold judged once, by what is learned from the others.

    Raises:
        DataError: fewer than two folds, or too few queries for so many.
    """
    fold = text_folds([record.query for record in records], folds=max(folds, 1), seed=seed)
    if folds < 2 or len(set(fold.tolist())) < folds:  # noqa: PLR2004 - one side learns, one is judged
        place = f"{records[0].source or records[0].id}: " if records else ""
        said = f"{len(records)} queries cannot be split into {folds} folds; at least 2, and no fold empty"
        raise DataError([f"{place}{said}"])
    for number in range(folds):
        yield Split(np.flatnonzero(fold != number), np.flatnonzero(fold == number))


def train_then_judged(records: Sequence[Record], train: int) -> Split:
    """The first `train` records are learned from, the others judged; what is judged is not learned from."""
    keys = [text_key(record.query) for record in records]
    asked = set(keys[train:])
    fresh = [row for row in range(train) if keys[row] not in asked]
    return Split(np.array(fresh, dtype=np.intp), np.arange(train, len(records)))


def split_names(records: Sequence[Record], *, learned: Sequence[str], judged: Sequence[str]) -> Split | None:
    """The split that the source itself makes, by the records' `split`; None where it makes none of that kind."""
    names = np.array([record.split or "" for record in records])
    split = Split(np.flatnonzero(np.isin(names, learned)), np.flatnonzero(np.isin(names, judged)))
    return split if len(split.learned) and len(split.judged) else None


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
