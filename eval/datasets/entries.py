"""Reads a file that is one JSON object with an entry a key, and notices keys that stand twice. Knows no data set.

Parsers keep the last of two values with the same key: where keys are ids, a row would vanish unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.datasets.lines import Content, json_document, read, text_of
from eval.datasets.problems import Problems

__all__ = ["json_entries"]


def json_entries(source: Path | Content, problems: Problems) -> Iterator[tuple[str, str, Any]]:
    """Each entry's key, its place (file[key], as it has no line of its own) and its value, in the file's order."""
    before = problems.count
    content = source if isinstance(source, Content) else read(source, problems)
    if problems.count > before:
        return
    document = json_document(content, problems)
    if problems.count > before:
        return
    if not isinstance(document, dict):
        problems.add(content.place, "expected an object with an entry a key")
        return
    _note_repeated_keys(content, problems)
    for key, value in document.items():
        yield key, f"{content.place}[{key}]", value


def _note_repeated_keys(content: Content, problems: Problems) -> None:
    keys: list[str] = []

    def remember(pairs: list[tuple[str, Any]]) -> None:
        keys[:] = [key for key, _ in pairs]  # inner objects come first, so the outermost one's stay

    try:
        json.loads(text_of(content, problems), object_pairs_hook=remember)
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        problems.add(content.place, f"cannot be checked for repeated keys: {error}")
        return
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            problems.add(f"{content.place}[{key}]", f"duplicate key {key!r}")
        seen.add(key)
