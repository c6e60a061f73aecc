"""What each retriever finds for each query, by the product's own indexes. Knows no routing.

A document is searched whole, by title and text; embedders cut it where they cut any text. (A `retriever` expert cuts
long documents into passages; judgements are of documents.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import anyio
import numpy as np
from anyio import to_thread

from eval.datasets import Document
from eval.metrics.arrays import Reals
from eval.metrics.ranking import ndcg
from eval.suites.retrieval.collection import Collection, relevance_of
from orchestrator.experts.retriever import corpus
from orchestrator.experts.retriever.index import DenseIndex, Index, WordIndex
from routers.embedding import Embedder, FloatArray

__all__ = ["DEPTH", "Retrievers", "Search", "search_merged", "search_separate"]

Retrievers: TypeAlias = Mapping[str, Embedder | None]
"""By name; None is the search by words, BM25."""

DEPTH = 10
"""How many documents count."""

Tick: TypeAlias = Callable[[], None]
"""Called after each query that a retriever has searched."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What was found, over the queries of all collections in their order.

    ranked: by retriever, for each query at most ten documents, best first; where collections are merged an id carries
    its collection's name. scores: nDCG@10, float64 [n, n_retrievers].
    """

    ranked: Mapping[str, Sequence[Sequence[str]]]
    scores: Reals

    @property
    def retrievers(self) -> tuple[str, ...]:
        """The columns of `scores`."""
        return tuple(self.ranked)


def search_separate(collections: Sequence[Collection], retrievers: Retrievers, *, tick: Tick) -> Search:
    """Every query in its own collection."""
    ranked: dict[str, list[list[str]]] = {}
    for name, embedder in retrievers.items():
        ranked[name] = []
        for collection in collections:
            ids = [document.id for document in collection.documents]
            queries = [record.query for record in collection.queries]
            found = anyio.run(_found, _texts(collection.documents), queries, embedder, tick)
            ranked[name] += [[ids[row] for row in rows] for rows in found]
    relevance = [relevance_of(record) for collection in collections for record in collection.queries]
    return Search(ranked, _scores(ranked, relevance))


def search_merged(collections: Sequence[Collection], retrievers: Retrievers, *, tick: Tick) -> Search:
    """Every query in one index of all collections' documents; relevant are those of its own collection alone."""
    ids = [_merged(c, document.id) for c in collections for document in c.documents]
    texts = [text for collection in collections for text in _texts(collection.documents)]
    queries = [record.query for collection in collections for record in collection.queries]
    ranked: dict[str, list[list[str]]] = {}
    for name, embedder in retrievers.items():
        found = anyio.run(_found, texts, queries, embedder, tick)
        ranked[name] = [[ids[row] for row in rows] for rows in found]
    relevance = [
        {_merged(collection, document): grade for document, grade in relevance_of(record).items()}
        for collection in collections
        for record in collection.queries
    ]
    return Search(ranked, _scores(ranked, relevance))


def _merged(collection: Collection, document: str) -> str:
    return f"{collection.name}#{document}"


def _texts(documents: Sequence[Document]) -> list[str]:
    """Title and text together, as a `retriever` expert searches them."""
    whole = (corpus.Document(id=one.id, title=one.title, text=one.text) for one in documents)
    return [corpus.Entry(document, 0, len(document.text)).searchable for document in whole]


async def _found(
    texts: Sequence[str], queries: Sequence[str], embedder: Embedder | None, tick: Tick
) -> list[list[int]]:
    """For each query the positions of the best texts, best first."""
    index = await to_thread.run_sync(_index, texts, queries, embedder)
    found = []
    for query in queries:
        found.append([row for row, _ in await index.search(query, limit=DEPTH)])
        tick()
    return found


def _index(texts: Sequence[str], queries: Sequence[str], embedder: Embedder | None) -> Index:
    if embedder is None:
        return WordIndex(texts)
    return DenseIndex(_Embedded(embedder, queries), embedder.embed(texts))


class _Embedded:
    """The vectors of queries that are known beforehand, embedded together: one by one costs many times as much."""

    def __init__(self, embedder: Embedder, queries: Sequence[str]) -> None:
        self._vectors = dict(zip(queries, embedder.embed(queries), strict=True))

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised; raises KeyError for a text that is no query."""
        return np.stack([self._vectors[text] for text in texts])


def _scores(ranked: Mapping[str, Sequence[Sequence[str]]], relevance: Sequence[Mapping[str, float]]) -> Reals:
    columns = [
        [ndcg(found, relevant, k=DEPTH) for found, relevant in zip(rows, relevance, strict=True)]
        for rows in ranked.values()
    ]
    return np.array(columns, dtype=np.float64).T
