"""Who a request is from: the id of its API key, which is kept and shown where the key must not be."""

from __future__ import annotations

import hashlib

from starlette.types import Scope

__all__ = ["CALLER", "caller_of", "key_id"]

CALLER = "orchestrator.caller"
"""Where a request's scope has the id of its key."""


def caller_of(scope: Scope) -> str:
    """The id of the key that a request came with; empty without keys."""
    return str(scope.get(CALLER, ""))


def key_id(key: str) -> str:
    """What a key is called."""
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
