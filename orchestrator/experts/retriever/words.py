"""Search by words: BM25 by bm25s, made in memory or memory-mapped from where it was saved. Knows no corpus."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import bm25s
import Stemmer
from anyio import to_thread

from orchestrator.experts.retriever.hits import Hit, best
from routers.retrievers.adapter import QueryAdapter

__all__ = ["WordIndex"]

_NONE = "no.words"


class WordIndex:
    """BM25 over stemmed English words without stop words; entries that share no word with the query are no hits.

    k1 = 0.9 and b = 0.4 are the values of Anserini, tuned for short passages. Building and loading block.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        _quiet()
        self._bm25: Any = None  # nothing to find
        words = bm25s.tokenize(list(texts), **_english(), return_ids=True, show_progress=False) if texts else None
        if words is not None and any(words.ids):
            self._bm25 = bm25s.BM25(k1=0.9, b=0.4, backend="numpy")
            self._bm25.index(words, show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote there, mapped into memory."""
        loaded = cls(())
        if not (folder / _NONE).is_file():
            loaded._bm25 = bm25s.BM25.load(folder, mmap=True, show_progress=False)
        return loaded

    def save(self, folder: Path) -> None:
        """Write it into an empty folder. Raises OSError."""
        if self._bm25 is None:
            (folder / _NONE).touch()
        else:
            self._bm25.save(folder, show_progress=False)

    async def search(self, query: str, *, limit: int, adapter: QueryAdapter | None = None) -> list[Hit]:
        """At most `limit` hits, best first."""
        del adapter  # words have no vector
        return await to_thread.run_sync(self._search, query, limit)

    def _search(self, query: str, limit: int) -> list[Hit]:
        if self._bm25 is None:
            return []
        [words] = bm25s.tokenize([query], **_english(), return_ids=False, show_progress=False)
        known = self._bm25.get_tokens_ids(words)
        if not known:
            return []
        return [hit for hit in best(self._bm25.get_scores_from_ids(known), limit) if hit[1] > 0]


def _english() -> dict[str, Any]:
    # A stemmer belongs to one thread, and costs microseconds.
    return {"stopwords": "en_plus", "stemmer": Stemmer.Stemmer("english")}


def _quiet() -> None:
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG when imported
