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
from eval.suites.retrieval.collection import Collection, relevance_of
from orchestrator.experts.retriever import corpus
from orchestrator.experts.retriever.index import DenseIndex, Index, WordIndex
from routers.embedding import Embedder, FloatArray
from routers.retrievers.arms import DEPTH, Arm, blended
from routers.retrievers.gain import ndcg

__all__ = ["COUNTED", "Hits", "Retrievers", "Search", "merged_documents", "search_merged", "search_separate"]

Retrievers: TypeAlias = Mapping[str, Embedder | None]
"""By name; None is the search by words, BM25."""

COUNTED = 10
"""How many documents count."""

Hits: TypeAlias = list[tuple[str, float]]
"""Documents of one query with their scores, best first; where collections are merged an id carries its collection's."""

Tick: TypeAlias = Callable[[], None]
"""Called after each query that a retriever has searched."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What was found, over the queries of all collections in their order.

    hits: by retriever, of each query. relevance: the grades of each query's judged documents.
    """

    hits: Mapping[str, Sequence[Hits]]
    relevance: Sequence[Mapping[str, float]]

    @property
    def retrievers(self) -> tuple[str, ...]:
        """In the order in which they were named."""
        return tuple(self.hits)

    def ranked(self, arm: Arm, query: int) -> list[str]:
        """The documents that count, of one query."""
        return [document for document, _ in blended([self.hits[name][query] for name in arm])[:COUNTED]]

    def ndcg10(self, arm: Arm, hits: Mapping[str, Sequence[Hits]] | None = None) -> Reals:
        """Of one retriever, or of two whose scores are added, [n]. hits: of retrievers that `self` has not."""
        known = {**self.hits, **(hits or {})}
        rows = zip(*(known[name] for name in arm), strict=True)
        return np.array(
            [
                ndcg([document for document, _ in blended(lists)[:COUNTED]], relevant, k=COUNTED)
                for lists, relevant in zip(rows, self.relevance, strict=True)
            ],
            dtype=np.float64,
        )


def search_separate(collections: Sequence[Collection], retrievers: Retrievers, *, tick: Tick) -> Search:
    """Every query in its own collection."""
    hits: dict[str, list[Hits]] = {}
    for name, embedder in retrievers.items():
        hits[name] = []
        for collection in collections:
            ids = [document.id for document in collection.documents]
            queries = [record.query for record in collection.queries]
            hits[name] += anyio.run(_found, ids, _texts(collection.documents), queries, embedder, tick)
    return Search(hits, [relevance_of(record) for collection in collections for record in collection.queries])


def search_merged(collections: Sequence[Collection], retrievers: Retrievers, *, tick: Tick) -> Search:
    """Every query in one index of all collections' documents; relevant are those of its own collection alone."""
    ids, texts = merged_documents(collections)
    queries = [record.query for collection in collections for record in collection.queries]
    hits = {name: anyio.run(_found, ids, texts, queries, found, tick) for name, found in retrievers.items()}
    relevance = [
        {_merged(collection, document): grade for document, grade in relevance_of(record).items()}
        for collection in collections
        for record in collection.queries
    ]
    return Search(hits, relevance)


def merged_documents(collections: Sequence[Collection]) -> tuple[list[str], list[str]]:
    """Ids and texts of all collections' documents, in their order."""
    ids = [_merged(c, document.id) for c in collections for document in c.documents]
    return ids, [text for collection in collections for text in _texts(collection.documents)]


def _merged(collection: Collection, document: str) -> str:
    return f"{collection.name}#{document}"


def _texts(documents: Sequence[Document]) -> list[str]:
    """Title and text together, as a `retriever` expert searches them."""
    whole = (corpus.Document(id=one.id, title=one.title, text=one.text) for one in documents)
    return [corpus.Entry(document, 0, len(document.text)).searchable for document in whole]


async def _found(
    ids: Sequence[str], texts: Sequence[str], queries: Sequence[str], embedder: Embedder | None, tick: Tick
) -> list[Hits]:
    """The hits of each query."""
    index = await to_thread.run_sync(_index, texts, queries, embedder)
    found = []
    for query in queries:
        found.append([(ids[row], score) for row, score in await index.search(query, limit=DEPTH)])
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
