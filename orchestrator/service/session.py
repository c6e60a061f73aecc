"""What a request says about the session it belongs to: the conversation, or else the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from orchestrator.service.identity import caller_of

__all__ = ["SESSION_HEADER", "session_of"]

SESSION_HEADER = "x-session-id"
_HEADERS = (
    SESSION_HEADER.encode(),
    b"x-conversation-id",
    b"x-claude-code-session-id",
    b"session_id",
    b"session-id",
    b"conversation_id",
)
"""Those that clients send for it; of several the first named here. The last three are Codex CLI's."""
_FIELDS = ("prompt_cache_key", "user")


def session_of(scope: Scope, body: Mapping[str, Any]) -> str | None:
    """The session by header, else by OpenAI's `prompt_cache_key` or `user` in the body; None where all are empty.

    With keys it is the caller's own: two callers who name one alike have nothing in common.
    """
    named = _named(scope, body)
    caller = caller_of(scope)
    return f"{caller}/{named}" if named is not None and caller else named


def _named(scope: Scope, body: Mapping[str, Any]) -> str | None:
    best, found = len(_HEADERS), None
    for name, value in scope["headers"]:
        if value and name in _HEADERS and (place := _HEADERS.index(name)) < best:
            best, found = place, str(value, "latin-1")
    if found is not None:
        return found
    for field in _FIELDS:
        value = body.get(field)
        if isinstance(value, str) and value:
            return value
    return None
