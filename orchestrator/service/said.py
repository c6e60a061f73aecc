"""Parts of what a model server said, for those who write them in another form: each is what chat has there.

Servers are not ours: what passes chat untouched has to be looked at before it is taken apart. Knows no form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from orchestrator.types import content_text

__all__ = ["arguments", "calls", "count", "fields", "listed", "name", "place", "text"]

_MOST = 2**63 - 1


def text(value: object) -> str:
    """A text: as it is, of parts, or none; ValueError for all else."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        return content_text(value)
    raise _another("a text", value)


def name(value: object) -> str | None:
    """A word, or nothing; ValueError for all else."""
    if value is None or isinstance(value, str):
        return value
    raise _another("a word", value)


def fields(value: object) -> Mapping[str, Any]:
    """An object, or an empty one for nothing; ValueError for all else."""
    if value is None or isinstance(value, Mapping):
        return value or {}
    raise _another("an object", value)


def listed(value: object) -> Sequence[Any]:
    """An array, or an empty one for nothing; ValueError for all else."""
    if value is None or isinstance(value, list):
        return value or []
    raise _another("an array", value)


def calls(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The calls of tools of a message or delta; ValueError where they are none."""
    return [fields(call) for call in listed(message.get("tool_calls"))]


def arguments(function: Mapping[str, Any]) -> str:
    """The arguments of a call as they were written; as JSON where a server sends them parsed."""
    written = function.get("arguments")
    return orjson.dumps(written).decode() if isinstance(written, Mapping) else name(written) or ""


def place(part: Mapping[str, Any]) -> int:
    """Where a call of a stream belongs, the first where that is not said; ValueError where it is no number."""
    return count(part.get("index"))


def count(value: object) -> int:
    """A whole number of at least 0, which is that of nothing; ValueError for all else."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if whole is None:
        return 0
    if isinstance(whole, bool) or not isinstance(whole, int) or not 0 <= whole <= _MOST:
        raise _another("a count", value)
    return whole


def _another(wanted: str, value: object) -> ValueError:
    return ValueError(f"{str(value)[:80]!r} stands where {wanted} belongs")
