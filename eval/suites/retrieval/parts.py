"""What a report draws of the suite: collections by retrievers, and the queries that went worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.datasets import Document
from eval.metrics import Figure
from eval.metrics.arrays import Reals
from eval.suites.retrieval.collection import Collection, relevance_of
from eval.suites.retrieval.routing import INSTANCE_ORACLE, ROUTER
from eval.suites.retrieval.search import Search
from routers.retrievers.arms import Arm, arm_name

__all__ = ["heat_map", "slices"]

MOST_SLICES = 10
MOST_EXAMPLES = 3
MOST_DOCUMENTS = 3
"""Of those expected and those found, how many are named."""
LONGEST_QUERY = 300
LONGEST_DOCUMENT = 80


def heat_map(ndcg10: Mapping[str, Mapping[str, Figure]], *, collections: Sequence[str], systems: Sequence[str]) -> Any:
    """Collections as rows, retrievers and the router as columns."""
    return {
        "row_title": "collection",
        "column_title": "retriever",
        "measure": "nDCG@10",
        "rows": list(collections),
        "columns": list(systems),
        "cells": [[ndcg10[name][system].as_dict() for system in systems] for name in collections],
    }


def slices(
    collections: Sequence[Collection],
    search: Search,
    *,
    values: Mapping[str, Reals],
    sent_to: Sequence[Arm],
    ndcg10: Mapping[str, Mapping[str, Figure]],
) -> list[Any]:
    """Collections, the one where the router does worst first, each with its worst queries.

    values: nDCG@10 by system, [n]. sent_to: the arm that the router chose for each query, [n].
    Of equally bad queries those come first for which another retriever would have done most.
    """
    found: list[dict[str, Any]] = []
    start = 0
    for collection in collections:
        positions = range(start, start + len(collection.queries))
        start = positions.stop
        worst = sorted(positions, key=lambda i: (values[ROUTER][i], -values[INSTANCE_ORACLE][i], i))[:MOST_EXAMPLES]
        found.append(
            {
                "slice": f"collection = {collection.name}",
                "measure": "nDCG@10 of the router",
                "figure": ndcg10[collection.name][ROUTER].as_dict(),
                "examples": [
                    _example(collection, i - positions.start, ranked=search.ranked(sent_to[i], i))
                    | {"detail": f"sent to {arm_name(sent_to[i])}; {_scores(search, values, i)}"}
                    for i in worst
                ],
            }
        )
    return sorted(found, key=lambda one: one["figure"]["value"])[:MOST_SLICES]


def _example(collection: Collection, position: int, *, ranked: Sequence[str]) -> dict[str, str]:
    """One query: what should have been found, the best grades first, and what was."""
    record = collection.queries[position]
    documents = {document.id: document for document in collection.documents}
    relevance = relevance_of(record)
    relevant = sorted((document for document, grade in relevance.items() if grade > 0), key=lambda d: -relevance[d])
    return {
        "query": _short(record.query, LONGEST_QUERY),
        "expected": _named([documents[document] for document in relevant]),
        "got": _named([documents[document] for document in ranked]),
    }


def _scores(search: Search, values: Mapping[str, Reals], position: int) -> str:
    return ", ".join(f"{name} {values[name][position]:.2f}" for name in search.retrievers)


def _named(documents: Sequence[Document]) -> str:
    shown = "; ".join(
        f"{d.id} {_short(d.title or d.text, LONGEST_DOCUMENT)}".rstrip() for d in documents[:MOST_DOCUMENTS]
    )
    more = len(documents) - MOST_DOCUMENTS
    return f"{shown}; and {more} more" if more > 0 else shown or "nothing"


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
