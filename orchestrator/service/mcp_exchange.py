"""One POST of an agent on its way through the SDK, and those that can be cancelled by another POST.

Since 2026-07-28 a call is cancelled by closing its stream. Before, it is cancelled by a notification, sent as a request
of its own, which names the call by an id that is unique within a session only. So clients of that era are given a
session's name when they begin, and nothing else: what is known of it are its calls under way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import anyio
import orjson
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

__all__ = ["SESSION_HEADER", "Exchange", "Exchanges"]

SESSION_HEADER = "mcp-session-id"
Key = tuple[str, str, bytes]
"""A call under way: its client's key and session, and its id as JSON (1 and "1" are two)."""


class Exchange:
    """`receive` and `send` for the SDK: the body that has been read already, and a client that leaves when told to."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, raw: bytes, body: Mapping[str, Any]) -> None:
        self.body = body
        self._headers = Headers(scope=scope)
        self._receive = receive
        self._send = send
        self._raw: bytes | None = raw
        self._left = anyio.Event()
        self.begun = self._ended = False

    @property
    def call(self) -> Key | None:
        """What a cancellation would name; None for what is no request, or of no session."""
        return self._key(self.body.get("id")) if "method" in self.body else None

    @property
    def cancels(self) -> Key | None:
        """The call that this one asks to cancel."""
        params = self.body.get("params")
        if self.body.get("method") != "notifications/cancelled" or not isinstance(params, Mapping):
            return None
        return self._key(params.get("requestId"))

    def cancel(self) -> None:
        """Let it end as if its client had left."""
        self._left.set()

    async def receive(self) -> Message:
        """The body, then the client's leaving."""
        if self._raw is not None:
            raw, self._raw = self._raw, None
            return {"type": "http.request", "body": raw, "more_body": False}
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            await self._left.wait()
            group.cancel_scope.cancel()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """To the client; the answer to a handshake names the session."""
        if message["type"] == "http.response.start":
            self.begun = True
            if self.body.get("method") == "initialize" and message["status"] == 200:  # noqa: PLR2004 - HTTP's OK
                headers = [*message["headers"], (SESSION_HEADER.encode(), uuid4().hex.encode())]
                message = {**message, "headers": headers}
        else:
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """Close the answer of a call that was cancelled: it is not answered."""
        if not self.begun:
            await self.send({"type": "http.response.start", "status": 204, "headers": []})
        if not self._ended:
            await self.send({"type": "http.response.body", "body": b""})

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left.set()

    def _key(self, request: object) -> Key | None:
        session = self._headers.get(SESSION_HEADER)
        if session is None or not isinstance(request, str | int) or isinstance(request, bool):
            return None
        return self._headers.get("authorization", ""), session, orjson.dumps(request)


class Exchanges:
    """Those under way that can be cancelled."""

    def __init__(self) -> None:
        self._by_call: dict[Key, Exchange] = {}

    @contextmanager
    def under_way(self, exchange: Exchange) -> Iterator[None]:
        """Inside, the exchange can be cancelled; of two with one id the later one."""
        call = exchange.call
        if call is None:
            yield
            return
        self._by_call[call] = exchange
        try:
            yield
        finally:
            if self._by_call.get(call) is exchange:
                del self._by_call[call]

    def cancel(self, call: Key) -> bool:
        """End a call; false where none of that name is under way."""
        exchange = self._by_call.get(call)
        if exchange is not None:
            exchange.cancel()
        return exchange is not None
