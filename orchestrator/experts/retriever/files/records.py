"""JSONL: one document a line, `{id, title, text}`; further keys are ignored, `title` may be left out."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

import orjson

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files.reading import UnreadableFile

__all__ = ["read"]


def read(content: bytes) -> list[Document]:
    """The documents, in the order of the lines.

    Raises:
        UnreadableFile: lines of it are no documents; each with its number.

    """
    documents: dict[str, tuple[int, Document]] = {}
    problems: dict[int, str] = {}
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            document = _document(line)
        except ValueError as error:
            problems[number] = str(error)
            continue
        first, _ = documents.setdefault(document.id, (number, document))
        if first != number:
            problems[number] = f"id {document.id!r} is already the one of line {first}"
    if problems:
        raise UnreadableFile(*problems.values(), lines=tuple(problems))
    return [document for _, document in documents.values()]


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
