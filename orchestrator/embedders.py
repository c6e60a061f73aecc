"""The text embedders of one process: each name loaded once, in a thread, and fed by its own batcher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from orchestrator.background import Background
from orchestrator.batching import Batcher
from routers.embedding import Embedder, FloatArray
from routers.embedding.engine import Engine
from routers.embedding.load import load_embedder

__all__ = ["MOST_TEXTS", "Embedders"]

MOST_TEXTS = 16
"""Texts of one call: the classifier waits for the call under way, and must not wait for several indexes' worth."""


class Embedders:
    """Embedders by name; relative paths start at `folder`. They work while `background` is open.

    engine, cache: what runs them, and where its graphs are kept; see `routers.embedding.engine`.
    """

    def __init__(self, folder: Path, *, engine: Engine = "torch", cache: Path | None = None) -> None:
        self._folder = folder
        self._engine: Engine = engine
        self._cache = cache
        self._lock = Lock()
        self._loaded: dict[str, Embedder] = {}
        self._served: dict[str, _Served] = {}
        self.background = Background()

    def load(self, name: str) -> Embedder:
        """The embedder itself, loaded at the first call (seconds). For threads, not for the event loop."""
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_embedder(name, folder=self._folder, engine=self._engine, cache=self._cache)
            return self._loaded[name]

    def __call__(self, name: str) -> _Served:
        """The embedder behind a batcher, for the event loop; loads with its first text."""
        if name not in self._served:
            self._served[name] = _Served(self, name)
            self.background.start(self._served[name].batches.serve)
        return self._served[name]


class _Served:
    """One embedder for the event loop."""

    def __init__(self, embedders: Embedders, name: str) -> None:
        self.batches: Batcher[Sequence[str], FloatArray] = Batcher(self._embed)
        self._embedders = embedders
        self._name = name

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised."""
        return await self.batches.submit(texts)

    def _embed(self, requests: list[Sequence[str]]) -> list[FloatArray]:
        """All texts of all waiting requests in as few calls as may be, cut apart again afterwards."""
        embedder = self._embedders.load(self._name)
        together = [text for texts in requests for text in texts]
        starts = range(0, max(1, len(together)), MOST_TEXTS)
        rows = np.concatenate([embedder.embed(together[start : start + MOST_TEXTS]) for start in starts])
        ends = np.cumsum([len(texts) for texts in requests])
        return list(np.split(rows, ends[:-1]))
