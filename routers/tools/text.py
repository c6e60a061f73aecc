"""What a tool says of itself, as one text that queries can be compared with. Knows no queries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Tool", "described_words", "tool_text", "words_of"]

WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_a-zA-Z]+")
"""A part of an identifier: `getHTTPPage_v2` is get, HTTP, Page, v, 2; a run of letters of another alphabet is one."""

MOST_DEPTH = 6
"""Parameters nested deeper say little of what a tool is for."""

MOST_CHARACTERS = 4000
"""Of the text of one tool: beyond it a description is a manual, and would drown what the tool is for."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What can be chosen. parameters: its JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


def tool_text(tool: Tool) -> str:
    """The name in words, the description, and the names and descriptions of the parameters."""
    parts = [words_of(tool.name) + ".", tool.description.strip(), *_parameters(tool.parameters, depth=0)]
    return " ".join(part for part in parts if part)[:MOST_CHARACTERS]


def described_words(tool: Tool) -> str:
    """The description; the name in words where there is none."""
    return tool.description.strip()[:MOST_CHARACTERS] or words_of(tool.name)


def words_of(identifier: str) -> str:
    """`get_weatherToday` as `get weather Today`; as it stands where it has no letters or digits."""
    return " ".join(WORD.findall(identifier)) or identifier


def _parameters(schema: Mapping[str, Any], *, depth: int) -> Iterator[str]:
    properties = schema.get("properties")
    if depth >= MOST_DEPTH or not isinstance(properties, Mapping):
        return
    for name, inner in properties.items():
        yield words_of(str(name))
        if not isinstance(inner, Mapping):
            continue
        if isinstance(described := inner.get("description"), str):
            yield described.strip()
        items = inner.get("items")
        yield from _parameters(items if isinstance(items, Mapping) else inner, depth=depth + 1)
