"""The queries whose category is known, or that are known to have none. Reads them out of records."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from eval.datasets import DataError, Dataset
from eval.datasets.problems import Problems, did_you_mean
from eval.runs import query_ids

__all__ = ["Query", "drawn", "queries_of", "refuse_unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query under its id in the run. category: None where it is out of scope. split: as the source names it."""

    id: str
    text: str
    category: str | None
    split: str | None
    place: str

    @property
    def in_scope(self) -> bool:
        """Whether some category is right for it."""
        return self.category is not None


def queries_of(datasets: Sequence[Dataset]) -> list[Query]:
    """One query a record, in order.

    Raises:
        DataError: records without text, with neither a category nor the mark that they have none, or given twice.
    """
    problems = Problems()
    queries: list[Query] = []
    first: dict[str, str] = {}
    records = [record for dataset in datasets for record in dataset.records]
    for identity, record in zip(query_ids(datasets), records, strict=True):
        place = record.source or record.id
        if not record.query.strip():
            problems.add(place, "query: is empty")
        if record.in_scope and not record.category:
            problems.add(place, "missing column 'category'; a query that belongs to none says \"in_scope\": false")
        if identity in first:
            problems.add(place, f"duplicate id {identity!r}: it stands already at {first[identity]}")
        first.setdefault(identity, place)
        category = record.category if record.in_scope else None
        queries.append(Query(id=identity, text=record.query, category=category, split=record.split, place=place))
    problems.check()
    if not any(query.in_scope for query in queries):
        raise DataError([f"{', '.join(one.name for one in datasets) or 'no data'}: no query has a category"])
    return queries


def refuse_unknown(queries: Sequence[Query], known: Collection[str], *, whose: str) -> None:
    """Raise DataError with every query whose category is not among those of the router."""
    problems = Problems()
    for query in queries:
        if query.category is not None and query.category not in known:
            said = f"unknown category {query.category!r}{did_you_mean(query.category, known)}"
            problems.add(query.place, f"{said}; {whose} {', '.join(sorted(known))}")
    problems.check()


def drawn(queries: Sequence[Query], n: int, *, seed: int) -> list[int]:
    """Positions of `n` of the queries in scope, ascending; of more data mostly the same ones are drawn."""
    rows = [row for row, query in enumerate(queries) if query.in_scope]
    rows.sort(key=lambda row: hashlib.sha256(f"{seed}\0{queries[row].id}".encode("utf-8", "surrogatepass")).digest())
    return sorted(rows[:n])
