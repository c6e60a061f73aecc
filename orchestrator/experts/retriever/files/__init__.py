"""From a file's bytes to its documents: one module a format, imported when a file of it is read.

A module has `read(content) -> list[Document]`, whose documents have the id "" where the file is one document, and
raises `UnreadableFile`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files.reading import UnreadableFile
from routers.importing import load_name

__all__ = ["SUFFIXES", "UnreadableFile", "is_of_records", "is_readable", "is_slow", "read"]

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".htm": "hypertext",
        ".html": "hypertext",
        ".xhtml": "hypertext",
        ".jsonl": "records",
        ".ndjson": "records",
        ".markdown": "markdown",
        ".md": "markdown",
        ".pdf": "pdf",
        ".text": "plain",
        ".txt": "plain",
    }
)
"""Formats by the end of a file's name, in small letters."""

_QUICK = frozenset({"plain", "records"})


def is_readable(path: Path) -> bool:
    """Whether there is a reader for files of this name."""
    return path.suffix.lower() in SUFFIXES


def is_of_records(path: Path) -> bool:
    """Whether such a file holds many documents, each with an id of its own."""
    return SUFFIXES.get(path.suffix.lower()) == "records"


def is_slow(path: Path) -> bool:
    """Whether what such a file says is worth keeping: getting it out takes longer than reading it again."""
    return is_readable(path) and SUFFIXES[path.suffix.lower()] not in _QUICK


def read(path: Path, content: bytes) -> list[Document]:
    """The documents of a file that has this content. Blocking.

    Raises:
        UnreadableFile: it is broken, or not in UTF-8, or there is no reader for it.

    """
    if not is_readable(path):
        known = ", ".join(sorted(SUFFIXES))
        raise UnreadableFile(f"there is no reader for {path.suffix or 'files without suffix'} (known: {known})")
    format_ = SUFFIXES[path.suffix.lower()]
    reader: Callable[[bytes], list[Document]] = load_name(f"orchestrator.experts.retriever.files.{format_}:read")
    return reader(content)
