"""API keys: a bearer token on everything but health. Pure ASGI, since each layer of middleware costs every request."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.errors import NotAuthorized
from orchestrator.service.errors import error_response
from orchestrator.service.identity import CALLER, key_id
from orchestrator.service.messages.errors import in_shape
from orchestrator.service.messages.surface import MESSAGES

__all__ = ["OPEN_PATHS", "KeyGuard"]

OPEN_PATHS = frozenset({"/health", "/health/ready", "/version"})
"""What is answered without a key."""


class KeyGuard:
    """Lets a request through when it carries one of the keys; compares in constant time."""

    def __init__(self, app: ASGIApp, *, keys: Sequence[str]) -> None:
        self._app = app
        self._keys = [(key.encode(), key_id(key)) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if (caller := self._caller(Headers(scope=scope))) is not None:
            scope[CALLER] = caller
            await self._app(scope, receive, send)
            return
        error = NotAuthorized("No valid API key: send 'Authorization: Bearer KEY' (or 'x-api-key: KEY').")
        shape = in_shape if scope["path"].startswith(MESSAGES.path) else error_response
        await shape(error)(scope, receive, send)

    def _caller(self, headers: Headers) -> str | None:
        """The id of the key that is carried; all are compared, whichever fits."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        given = (bearer or headers.get("x-api-key", "").strip()).encode()
        matches = [name for key, name in self._keys if hmac.compare_digest(given, key)]
        return matches[0] if matches else None
