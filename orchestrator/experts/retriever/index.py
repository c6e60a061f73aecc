"""Two ways to search a corpus: by meaning (vectors of an embedder) and by words (BM25). Knows no expert.

An index answers with row numbers of the corpus' entries; what to do with several of them is `fusion`'s business.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import bm25s
import numpy as np
import Stemmer
from anyio import to_thread

from orchestrator.batching import TextEmbedder
from orchestrator.experts.retriever.corpus import Corpus
from orchestrator.experts.retriever.vectors import load_vectors, save_vectors
from routers.embedding import FloatArray
from routers.retrievers.adapter import QueryAdapter

__all__ = ["DenseIndex", "Hit", "Index", "WordIndex", "dense_index"]

Hit = tuple[int, float]
"""Row of an entry in its corpus, and its score (higher is better)."""

_SLICE = 8  # texts of one call while indexing: a query that needs the same embedder waits for no more than a few
_SAME = 0.999  # cosine of two embeddings of one text by one model; batches and machines change the last digits only


class Index(Protocol):
    """Finds entries of one corpus."""

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        """At most `limit` hits, best first. adapter: moves the query's vector, where the index is of vectors."""
        ...


class DenseIndex:
    """Exact search by the dot product of normalised vectors, i.e. by cosine."""

    def __init__(self, embedder: TextEmbedder, rows: FloatArray) -> None:
        self._embedder = embedder
        self.rows = rows

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        vectors = await self._embedder.embed([query])
        [vector] = vectors if adapter is None else adapter.applied(vectors)
        return await to_thread.run_sync(lambda: _best(self.rows @ vector, limit))


class WordIndex:
    """BM25 over stemmed English words without stop words; entries that share no word with the query are no hits.

    k1 = 0.9 and b = 0.4 are the values of Anserini, tuned for short passages. Building blocks.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG when imported
        words = _words(texts)
        self._bm25 = bm25s.BM25(k1=0.9, b=0.4, backend="numpy")
        self._empty = not any(words)
        if not self._empty:
            self._bm25.index(words, show_progress=False)

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        del adapter  # words have no vector
        return await to_thread.run_sync(self._search, query, limit)

    def _search(self, query: str, limit: int) -> list[Hit]:
        if self._empty:
            return []
        [words] = _words([query])
        known = self._bm25.get_tokens_ids(words)
        if not known:
            return []
        return [hit for hit in _best(self._bm25.get_scores_from_ids(known), limit) if hit[1] > 0]


async def dense_index(corpus: Corpus, *, name: str, embedder: TextEmbedder, folder: Path) -> DenseIndex:
    """The vector index of a corpus, from the cache in `folder` where it has one made by this embedder."""
    manifest = {"format": "1", "corpus": corpus.digest, "embedder": name}
    key = hashlib.sha256("\n".join(manifest.values()).encode()).hexdigest()
    path = folder / f"{key}.safetensors"
    texts = [entry.searchable for entry in corpus.entries]
    rows = await to_thread.run_sync(load_vectors, path, manifest)
    if rows is None or not await _made_by(embedder, rows, texts):
        rows = await _embedded(embedder, texts)
        await to_thread.run_sync(save_vectors, path, rows, manifest)
    return DenseIndex(embedder, rows)


async def _embedded(embedder: TextEmbedder, texts: Sequence[str]) -> FloatArray:
    slices = [texts[start : start + _SLICE] for start in range(0, len(texts), _SLICE)]
    return np.concatenate([await embedder.embed(some) for some in slices])


async def _made_by(embedder: TextEmbedder, rows: FloatArray, texts: Sequence[str]) -> bool:
    """Whether cached vectors are those this embedder would make: a name does not tell when its weights change.

    The longest text is embedded afresh: it also shows a change of the length at which texts are cut off.
    """
    longest = max(range(len(texts)), key=lambda row: len(texts[row]))
    [fresh] = await embedder.embed([texts[longest]])
    return rows.shape == (len(texts), len(fresh)) and float(rows[longest] @ fresh) > _SAME


def _words(texts: Sequence[str]) -> list[list[str]]:
    # A stemmer belongs to one thread, and costs microseconds.
    words: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords="en_plus", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )
    return words


def _best(scores: FloatArray, limit: int) -> list[Hit]:
    """The highest scores with their rows, best first; equal ones in the order of the rows."""
    rows = np.arange(len(scores))
    if limit < len(scores):
        rows = np.argpartition(scores, -limit)[-limit:]
    rows = rows[np.lexsort((rows, -scores[rows]))]
    return [(int(row), float(scores[row])) for row in rows]
