"""Text files: one document, as it stands."""

from __future__ import annotations

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files.reading import decoded

__all__ = ["read"]


def read(content: bytes) -> list[Document]:
    """One document without a title."""
    return [Document(id="", title="", text=decoded(content))]
