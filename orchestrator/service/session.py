"""What a request says about the session it belongs to: the conversation, or else the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

__all__ = ["SESSION_HEADER", "session_of"]

SESSION_HEADER = "x-session-id"
_HEADER = SESSION_HEADER.encode()
_FIELDS = ("prompt_cache_key", "user")


def session_of(scope: Scope, body: Mapping[str, Any]) -> str | None:
    """The header `x-session-id`, else OpenAI's `prompt_cache_key` or `user` in the body; None where all are empty."""
    for name, value in scope["headers"]:
        if name == _HEADER and value:
            return str(value, "latin-1")
    for field in _FIELDS:
        value = body.get(field)
        if isinstance(value, str) and value:
            return value
    return None
