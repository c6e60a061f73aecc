"""Search by meaning, exactly or by a graph of neighbours, and what all indexes have in common. Knows no expert.

An index answers with row numbers of the corpus' entries; what to do with several of them is `fusion`'s business.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from anyio import to_thread

from orchestrator.batching import TextEmbedder
from orchestrator.experts.retriever.hits import Hit, best
from orchestrator.experts.retriever.words import WordIndex
from routers.embedding import FloatArray
from routers.importing import load_name
from routers.retrievers.adapter import QueryAdapter

__all__ = ["DenseIndex", "GraphIndex", "Hit", "Index", "WordIndex", "write_graph"]

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 512
"""Of HNSW: neighbours of a node, and candidates that are looked at when one is added or searched."""

_AT_ONCE = 4096


class Index(Protocol):
    """Finds entries of one corpus."""

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        """At most `limit` hits, best first. adapter: moves the query's vector, where the index is of vectors."""
        ...


class DenseIndex:
    """Exact search by the dot product of normalised vectors, i.e. by cosine: one matrix product."""

    def __init__(self, embedder: TextEmbedder, rows: FloatArray) -> None:
        self._embedder = embedder
        self.rows = rows

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        """At most `limit` hits, best first; see `Index`."""
        vectors = await self._embedder.embed([query])
        [vector] = vectors if adapter is None else adapter.applied(vectors)
        return await to_thread.run_sync(lambda: best(self.rows @ vector, limit))


class GraphIndex:
    """Approximate search in a graph of neighbours (HNSW) that is mapped from its file; scores are exact cosines.

    rows: the vectors, float32 [n, dim]: the graph holds them at half the precision.
    """

    def __init__(self, embedder: TextEmbedder, rows: FloatArray, path: Path) -> None:
        self._embedder = embedder
        self.rows = rows
        self._graph = _graph(rows.shape[1])
        self._graph.view(str(path))
        self._graph.expansion_search = _EXPANSION_SEARCH

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        """At most `limit` hits, best first; see `Index`."""
        vectors = await self._embedder.embed([query])
        [vector] = vectors if adapter is None else adapter.applied(vectors)
        return await to_thread.run_sync(self._search, vector, limit)

    def _search(self, vector: FloatArray, limit: int) -> list[Hit]:
        found = np.sort(self._graph.search(vector, limit, threads=1).keys.astype(np.intp))
        return [(int(found[at]), score) for at, score in best(self.rows[found] @ vector, limit)]


def write_graph(rows: FloatArray, path: Path, *, progress: Any = None) -> None:
    """Make the graph of these vectors and write it to a file. Blocking, about a minute for 250,000 vectors.

    progress: called with how many are in.
    """
    graph = _graph(rows.shape[1])
    threads = max(1, (os.cpu_count() or 1) // 2)  # the rest is for whoever is being served meanwhile
    for start in range(0, len(rows), _AT_ONCE):
        some = np.asarray(rows[start : start + _AT_ONCE])
        graph.add(np.arange(start, start + len(some), dtype=np.uint64), some, threads=threads)
        if progress is not None:
            progress(start + len(some))
    graph.save(str(path))


def _graph(dim: int) -> Any:
    made: Any = load_name("usearch.index:Index")
    return made(ndim=dim, metric="ip", dtype="f16", connectivity=_CONNECTIVITY, expansion_add=_EXPANSION_ADD)
