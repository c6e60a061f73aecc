"""A corpus with its indexes, made once a process however many retrievers search it. Knows no expert and no request."""

from __future__ import annotations

from pathlib import Path

import anyio
from anyio import to_thread

from orchestrator.experts.retriever.corpus import Corpus, Entry, read_corpus
from orchestrator.experts.retriever.fusion import fused
from orchestrator.experts.retriever.index import DenseIndex, Hit, Index, WordIndex, dense_index
from orchestrator.experts.site import Site
from routers.embedding import FloatArray
from routers.retrievers.adapter import QueryAdapter

__all__ = ["WORDS", "Shelf", "open_shelf"]

WORDS = "bm25"
"""The name in `embedders` that stands for the word index."""

_DEPTH = 100  # hits of each index that fusion sees: deep enough that an entry low in one list can rise by another


class Shelf:
    """One corpus and the indexes that have been made of it, by their names in `embedders`."""

    def __init__(self, corpus: Corpus, site: Site) -> None:
        self.corpus = corpus
        self._site = site
        self._indexes: dict[str, Index] = {}
        self._making = anyio.Lock()

    async def prepare(self, name: str) -> None:
        """Make an index unless it is there; raises what its embedder raises."""
        async with self._making:
            if name not in self._indexes and self.corpus.entries:
                self._indexes[name] = await self._made(name)

    async def search(
        self, query: str, *, indexes: tuple[str, ...], limit: int, adapter: QueryAdapter | None = None
    ) -> list[tuple[Entry, float]]:
        """At most `limit` entries with scores, best first: those of one index, or of several fused by rank."""
        if not self.corpus.entries:
            return []
        lists = [await self._indexes[name].search(query, limit=max(limit, _DEPTH), adapter=adapter) for name in indexes]
        hits: list[Hit] = lists[0] if len(lists) == 1 else fused([[row for row, _ in hits] for hits in lists])
        return [(self.corpus.entries[row], score) for row, score in hits[:limit]]

    def vectors(self, name: str) -> tuple[list[str], FloatArray]:
        """The document of each passage and its vector, float32 [n, dim], of an index that has been made."""
        index = self._indexes.get(name)
        if not isinstance(index, DenseIndex):
            message = f"there is no index of vectors {name!r}"
            raise KeyError(message)
        return [entry.document.id for entry in self.corpus.entries], index.rows

    async def _made(self, name: str) -> Index:
        if name == WORDS:
            texts = [entry.searchable for entry in self.corpus.entries]
            return await to_thread.run_sync(WordIndex, texts)
        embedder = self._site.embedder(name)
        return await dense_index(self.corpus, name=name, embedder=embedder, folder=self._site.cache / "indexes")


async def open_shelf(path: Path, site: Site) -> Shelf:
    """The shelf of the corpus at a path; files of the same content share it.

    Raises:
        ConfigError: the file is no corpus.

    """
    corpus = await to_thread.run_sync(read_corpus, path)
    return site.share(("retriever", corpus.digest), lambda: Shelf(corpus, site))
