"""A corpus: documents in a JSONL file, and the passages that are indexed. Knows no index."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from orchestrator.errors import ConfigError
from orchestrator.experts.retriever.spans import OVERLAP, SIZE, VERSION, spans

__all__ = ["Corpus", "Document", "Entry", "read_corpus"]


@dataclass(frozen=True, slots=True)
class Document:
    """One line of the file."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One passage of a document, as it is indexed: `start` and `end` are character offsets in its text."""

    document: Document
    start: int
    end: int

    @property
    def text(self) -> str:
        """The passage itself."""
        return self.document.text[self.start : self.end]

    @property
    def searchable(self) -> str:
        """What is embedded and matched: a passage without its title often lacks its subject."""
        return f"{self.document.title}\n{self.text}" if self.document.title else self.text


@dataclass(frozen=True, slots=True)
class Corpus:
    """All passages, in the order of the file. `digest` changes when they would (content, or how texts are cut)."""

    entries: tuple[Entry, ...]
    digest: str


def read_corpus(path: Path) -> Corpus:
    """The corpus of a JSONL file of `{id, title, text}`; further keys are ignored, `title` may be left out.

    Blocking.

    Raises:
        ConfigError: the file cannot be read, or lines of it are no documents; each with its place.

    """
    try:
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror or error}"]) from error
    documents: dict[str, tuple[int, Document]] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = _document(line)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        first, _ = documents.setdefault(document.id, (number, document))
        if first != number:
            problems.append(f"{path}:{number}: id {document.id!r} is already the one of line {first}")
    if problems:
        raise ConfigError(problems)
    return _corpus([document for _, document in documents.values()])


def _document(line: bytes) -> Document:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        message = f"not a line of JSON: {error}"
        raise ValueError(message) from error
    if not isinstance(parsed, dict):
        message = "not a JSON object {id, title, text}"
        raise ValueError(message)  # noqa: TRY004 - the caller reports what is wrong with values of the file
    return Document(
        id=_string(parsed, "id"), title=_string(parsed, "title", required=False), text=_string(parsed, "text")
    )


def _string(parsed: Mapping[str, Any], key: str, *, required: bool = True) -> str:
    value = parsed.get(key, "")
    if not isinstance(value, str) or (required and not value.strip()):
        message = f"{key!r} must be a string" + (" with text in it" if required else "")
        raise ValueError(message)
    return value.strip() if key != "text" else value


def _corpus(documents: list[Document]) -> Corpus:
    digest = hashlib.sha256(orjson.dumps([VERSION, SIZE, OVERLAP]))
    for document in documents:
        digest.update(orjson.dumps([document.id, document.title, document.text]))
    entries = (Entry(document, start, end) for document in documents for start, end in spans(document.text))
    return Corpus(entries=tuple(entries), digest=digest.hexdigest())
