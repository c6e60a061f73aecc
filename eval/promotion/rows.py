"""Queries that two artifacts are asked, and what each of them says. Knows no figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.datasets import DataError, Dataset, Record
from eval.datasets.problems import Problems
from eval.metrics.arrays import IntArray, Reals
from orchestrator.plans import Plans
from routers.fusion.recorded import grade_of
from routers.lessons import text_key
from routers.mapping.graded import FusedGrade, Grade
from routers.router import Router

__all__ = ["Row", "Said", "rows_of", "unseen"]

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One query. query: None for a grade of a whole category, `given`. category: the true one, None where not known.

    in_scope: false where no category is right. outcomes: of the experts that were graded on it. fused: of fuse plans.
    """

    query: str | None
    category: str | None = None
    given: str | None = None
    in_scope: bool = True
    outcomes: Mapping[str, Grade]
    fused: tuple[FusedGrade, ...] = ()


class Said:
    """What one side says of each row: where it sends it, its likeliest category, how sure it is, how it answers.

    general: where its gate sends. grades: None where nobody recorded what its plan comes to, or the category has none.
    """

    def __init__(self, n: int, *, general: str) -> None:
        self.general = general
        self.sent: list[str | None] = [None] * n
        self.top: list[str | None] = [None] * n
        self.confidence: Reals = np.full(n, np.nan)
        self.grades: list[Grade | None] = [None] * n

    def ask(self, router: Router, plans: Plans, rows: Sequence[Row], places: IntArray) -> None:
        """Fill in what a router and its plans say of the rows at these places."""
        texts = [(place, rows[place].query) for place in places.tolist()]
        asked = [(place, text) for place, text in texts if text is not None]
        for start in range(0, len(asked), BATCH):
            batch = asked[start : start + BATCH]
            for (place, _), routing in zip(batch, router.classify([text for _, text in batch]), strict=True):
                self.sent[place], self.top[place] = routing.category, routing.top
                self.confidence[place] = routing.confidence
        for place in places.tolist():
            self.grades[place] = _grade(plans, self.sent[place] or rows[place].given, rows[place])


def _grade(plans: Plans, category: str | None, row: Row) -> Grade | None:
    if category is None:
        return None
    try:
        plan = plans.planned(category).plan
    except KeyError:  # one that the configuration has no more
        return None
    return grade_of(plan, row.outcomes, row.fused)


def rows_of(datasets: Iterable[Dataset]) -> list[Row]:
    """Of records: each with a category, the mark that it has none, or outcomes.

    Raises:
        DataError: empty queries, or records that say nothing to go by.
    """
    problems = Problems()
    rows = []
    for record in (record for dataset in datasets for record in dataset.records):
        place = record.source or record.id
        if not record.query.strip():
            problems.add(place, "query: is empty")
        if record.in_scope and not record.category and not record.outcomes:
            problems.add(place, 'neither "category" nor "outcomes", nor "in_scope": false: nothing to judge by')
        outcomes = {expert: _outcome(record, expert) for expert in record.outcomes}
        category = record.category if record.in_scope else None
        rows.append(Row(query=record.query, category=category, in_scope=record.in_scope, outcomes=outcomes))
    problems.check()
    if not any(row.category for row in rows):
        raise DataError(["--replay: no query has a category; at least some must, to see whether they find it"])
    return rows


def _outcome(record: Record, expert: str) -> Grade:
    """With what the expert said, where the record has that: a draft without an answer gave none."""
    one, draft = record.outcomes[expert], record.drafts.get(expert)
    if draft is None:
        return Grade(one.score, one.cost_usd)
    return Grade(one.score, one.cost_usd, (draft.text or "") if draft.answer is None else draft.answer)


def unseen(rows: Sequence[Row], taught: Iterable[frozenset[str]]) -> tuple[list[Row], list[str]]:
    """The rows, each text once, that nobody was taught, and what a reader has to know of the others.

    Raises:
        DataError: none is left.
    """
    known: set[str] = set().union(*taught)
    left = list(_once(row for row in rows if row.query is not None and text_key(row.query) not in known))
    seen = sum(row.query is not None and text_key(row.query) in known for row in rows)
    repeated = len(rows) - seen - len(left)
    if not any(row.category for row in left):
        raise DataError(
            [f"--replay: of {len(rows)} queries {seen} were trained on by one of the two: nothing is left to judge by"]
        )
    notes = [f"{seen} queries of the replay are left out: one of the two was trained on them"] if seen else []
    return left, [*notes, *([f"{repeated} repeated queries are left out"] if repeated else [])]


def _once(rows: Iterable[Row]) -> Iterator[Row]:
    met: set[str] = set()
    for row in rows:
        key = text_key(row.query or "")
        if key not in met:
            met.add(key)
            yield row
