"""The two ends that a transport gives to the protocol: messages in, and messages out that are never waited for.

Knows neither processes nor HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Protocol, Self

import anyio
from anyio.abc import AsyncResource
from mcp.shared.message import SessionMessage

__all__ = ["Hooks", "Inbox", "Outbox", "Streams"]

_MOST_WAITING = 4096
"""Messages that a server has not taken: one that leaves so many does not read. Many may come at once, when a
connection is back for which calls have waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a transport tells its user.

    ended: there will be no more messages; why, where it is not that the server went.
    strange: the server sent what is no message; why it is none.
    """

    ended: Callable[[str], None]
    strange: Callable[[Exception], None]


class Source(Protocol):
    """Where messages come from: a stream of anyio, or one of the SDK's."""

    async def receive(self) -> SessionMessage | Exception: ...
    async def aclose(self) -> None: ...


class Inbox(AsyncResource):
    """A read stream that tells when it ends: a server that died between two calls would go unnoticed.

    It holds messages only: what is none is told and dropped.
    """

    def __init__(self, stream: Source, hooks: Hooks) -> None:
        self._stream = stream
        self._hooks = hooks

    @property
    def last_context(self) -> Context | None:
        """The sender's context variables, where the stream carries them: the SDK looks for them here."""
        context: Context | None = getattr(self._stream, "last_context", None)
        return context

    async def receive(self) -> SessionMessage | Exception:
        try:
            while isinstance(item := await self._stream.receive(), Exception):
                self._hooks.strange(item)
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._hooks.ended("")
            raise
        return item

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class Outbox(AsyncResource):
    """A write stream that nobody waits for: a server that does not read must not hold up a caller who leaves.

    The SDK sends its word of a cancelled call shielded. `delivered` has to run beside it.
    """

    def __init__(self, hooks: Hooks, *, most: int = _MOST_WAITING) -> None:
        self._hooks = hooks
        self._most = most
        self._in, self._out = anyio.create_memory_object_stream[SessionMessage](most)

    async def send(self, item: SessionMessage, /) -> None:
        try:
            self._in.send_nowait(item)
        except anyio.WouldBlock:
            self._hooks.ended(f"the server does not read: {self._most} messages wait for it")
            raise anyio.BrokenResourceError from None

    async def aclose(self) -> None:
        self._in.close()

    async def delivered(self, deliver: Callable[[SessionMessage], Awaitable[None]]) -> None:
        """Deliver what is sent until the stream is closed, or there is no way to the server any more."""
        with self._out:
            try:
                async for item in self._out:
                    await deliver(item)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
                self._hooks.ended("")


Streams = tuple[Inbox, Outbox]
