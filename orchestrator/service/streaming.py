"""Server-sent events out, and the client that leaves.

A client that goes away cancels everything that its request started: experts' connections close, and their servers
stop generating. Starlette's own StreamingResponse does not promise that at every ASGI version.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeVar

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.errors import OrchestratorError, sole
from orchestrator.pipeline import Pipeline
from orchestrator.service.errors import error_body
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Chunk

__all__ = ["ClientLeft", "EventStream", "answer_events", "unless_client_leaves"]

T = TypeVar("T")
ROOM = 16
"""Chunks between the expert and the client before the expert has to wait."""
DONE = b"data: [DONE]\n\n"


class ClientLeft(Exception):
    """The client closed its connection; there is nobody to answer."""


class EventStream(Response):
    """Sends the events of `opened`, which is entered once the first of them (or its error) is there.

    `headers_now` is read at that moment: only then is it known who answers.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[AsyncIterable[bytes]]],
        headers_now: Callable[[], Mapping[str, str]],
    ) -> None:
        super().__init__(headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._opened = opened
        self._headers_now = headers_now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope

        async def respond() -> None:
            async with self._opened() as events:
                self.headers.update(self._headers_now())
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for event in events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        with suppress(ClientLeft):
            await unless_client_leaves(receive, respond)


async def unless_client_leaves(receive: Receive, work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`; cancel it when the client goes away. The body must have been read before.

    Raises:
        ClientLeft: it went away first.

    """
    results: list[T] = []
    try:
        async with anyio.create_task_group() as group:

            async def watch_for_hangup() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch_for_hangup)
            results.append(await work())
            group.cancel_scope.cancel()
    except BaseExceptionGroup as group_error:
        raise sole(group_error) from group_error
    if not results:
        raise ClientLeft
    return results[0]


@asynccontextmanager
async def answer_events(pipeline: Pipeline, request: ChatRequest, trace: Trace) -> AsyncIterator[AsyncIterable[bytes]]:
    """The events of one streamed answer. An error before the first chunk is raised, a later one is an event."""
    send, receive = anyio.create_memory_object_stream[Chunk | OrchestratorError](ROOM)
    early: list[OrchestratorError] = []

    async def run() -> None:
        begun = False

        async def emit(chunk: Chunk) -> None:
            nonlocal begun
            begun = True
            await send.send(chunk)

        async with send:
            try:
                await pipeline.answer(request, emit, trace)
            except OrchestratorError as error:
                if begun:
                    await send.send(error)
                else:
                    early.append(error)

    try:
        async with anyio.create_task_group() as group, receive:
            group.start_soon(run)
            first = await _first(receive)
            if early:
                raise early[0]
            yield _events(first, receive)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as group_error:
        raise sole(group_error) from group_error


async def _first(receive: MemoryObjectReceiveStream[Chunk | OrchestratorError]) -> Chunk | OrchestratorError | None:
    """The first chunk, or None when the answer ended or failed without one."""
    try:
        return await receive.receive()
    except anyio.EndOfStream:
        return None


async def _events(
    first: Chunk | OrchestratorError | None, receive: MemoryObjectReceiveStream[Chunk | OrchestratorError]
) -> AsyncIterator[bytes]:
    if first is not None:
        yield _event(first)
    async for item in receive:
        yield _event(item)
        if isinstance(item, OrchestratorError):
            return
    yield DONE


def _event(item: Chunk | OrchestratorError) -> bytes:
    raw = item.raw if isinstance(item, Chunk) else orjson.dumps(error_body(item))
    if b"\n" in raw or b"\r" in raw:  # inside JSON these are blanks between tokens; in an event they would end it
        raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: " + raw + b"\n\n"
