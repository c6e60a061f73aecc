"""Which queries are learned from, judged, and held for thresholds, where that is not by folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.datasets import DataError, Dataset
from eval.splits import split_names
from eval.suites.categories.queries import Query, queries_of
from routers.examples import same_text

__all__ = ["Parts", "parts_by_split", "parts_given"]

LEARNED, VALIDATION, JUDGED = "train", "val", "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Queries by their use. validation: in scope, to set a threshold on; none without a source that has such.

    seen: how many queries were taken out of `judged` because their text is also learned from.
    """

    learned: tuple[Query, ...]
    validation: tuple[Query, ...]
    judged: tuple[Query, ...]
    seen: int


def parts_given(train: Sequence[Dataset], test: Sequence[Dataset]) -> Parts:
    """All of `train` is learned from, all of `test` is judged; raises DataError where nothing is left to judge."""
    return _parts(queries_of(train), [], queries_of(test))


def parts_by_split(datasets: Sequence[Dataset]) -> Parts:
    """By the split that the source itself makes: train, val, test.

    Raises:
        DataError: it makes none of that kind, or nothing is left to judge.
    """
    queries = queries_of(datasets)
    records = [record for dataset in datasets for record in dataset.records]
    split = split_names(records, learned=[LEARNED], judged=[JUDGED])
    if split is None:
        names = ", ".join(sorted({repr(query.split) for query in queries if query.split})) or "none"
        said = f"its own split needs {LEARNED!r} and {JUDGED!r} (found: {names}); name --test, or take --folds"
        raise DataError([f"{', '.join(dataset.name for dataset in datasets)}: {said}"])
    held = [query for query in queries if query.split == VALIDATION and query.in_scope]
    return _parts([queries[row] for row in split.learned], held, [queries[row] for row in split.judged])


def _parts(learned: Sequence[Query], validation: Sequence[Query], judged: Sequence[Query]) -> Parts:
    known = {same_text(query.text) for query in learned}
    unseen = tuple(query for query in judged if same_text(query.text) not in known)
    if not any(query.in_scope for query in unseen):
        raise DataError(
            [f"{judged[0].place}: every query in scope from here on is also learned from: nothing to judge"]
        )
    return Parts(
        learned=tuple(learned),
        validation=tuple(query for query in validation if same_text(query.text) not in known),
        judged=unseen,
        seen=len(judged) - len(unseen),
    )
