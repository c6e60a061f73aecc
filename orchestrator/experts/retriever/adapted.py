"""The adapter of a retriever: read from its file, and checked against the embedder that it was trained on."""

from __future__ import annotations

from pathlib import Path

from anyio import to_thread

from orchestrator.batching import TextEmbedder
from routers.errors import ArtifactError
from routers.retrievers.adapter import QueryAdapter
from routers.retrievers.stored import load_adapter

__all__ = ["PROBE", "open_adapter"]

PROBE = "Where is this written down?"
"""What an adapter's file keeps the vector of: a name does not tell when an embedder's weights change."""

_SAME = 0.99  # cosine of two embeddings of one text by one model; an engine of less precision stays above


async def open_adapter(path: Path, *, embedder: TextEmbedder, name: str) -> QueryAdapter:
    """The adapter of a file; raises ArtifactError where there is none, or one of another embedder."""
    stored = await to_thread.run_sync(load_adapter, path)
    [probe] = await embedder.embed([PROBE])
    if stored.probe.shape != probe.shape or float(stored.probe @ probe) < _SAME:
        message = f"{path} was trained on embedder {stored.facts.embedder!r}, whose vectors {name!r} does not make"
        raise ArtifactError(message)
    return stored.adapter
