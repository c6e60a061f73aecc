"""The service without a socket: its application, alive for a block, behind a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.types import ASGIApp, Message

from orchestrator.errors import RunError

__all__ = ["client_of"]

START_S = 300.0
STOP_S = 30.0


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application, whose life is that of the block.

    Raises:
        RunError: it does not start.

    """
    to_app_in, to_app = anyio.create_memory_object_stream[Message](1)
    from_app_in, from_app = anyio.create_memory_object_stream[Message](1)
    with to_app_in, to_app, from_app_in, from_app:
        async with anyio.create_task_group() as group:
            group.start_soon(_alive, app, to_app, from_app_in)
            await _told(to_app_in, from_app, "startup", START_S)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            try:
                async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                    yield client
            finally:
                with anyio.CancelScope(shield=True):
                    await _told(to_app_in, from_app, "shutdown", STOP_S)


async def _alive(
    app: ASGIApp, given: MemoryObjectReceiveStream[Message], said: MemoryObjectSendStream[Message]
) -> None:
    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, given.receive, said.send)


async def _told(
    to_app: MemoryObjectSendStream[Message], from_app: MemoryObjectReceiveStream[Message], what: str, most_s: float
) -> None:
    """Have the application start or stop, and wait for it."""
    with anyio.move_on_after(most_s):
        await to_app.send({"type": f"lifespan.{what}"})
        answer = await from_app.receive()
        if answer["type"] == f"lifespan.{what}.complete":
            return
        raise RunError(f"the service does not {what}: {answer.get('message', '')}")
    raise RunError(f"the service does not {what} within {most_s:g} s")
