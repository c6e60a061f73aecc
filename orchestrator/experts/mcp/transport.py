"""Ways to an MCP server: a process on stdin and stdout, or streamable HTTP. Knows no tools and no experts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client

from orchestrator.config.kinds import McpServerSettings
from orchestrator.experts.mcp.error_log import ErrorLog
from orchestrator.experts.mcp.process import MOST_BYTES, spoken_with
from orchestrator.experts.mcp.streams import Hooks, Inbox, Outbox, Streams

__all__ = ["http", "stdio"]

_CONNECT_S = 10.0  # for one TCP connection; how long an answer may take is the caller's affair


@asynccontextmanager
async def stdio(server: McpServerSettings, *, folder: Path, errors: ErrorLog, hooks: Hooks) -> AsyncIterator[Streams]:
    """A process in `folder`, whose stderr goes to `errors`; it and its children are gone afterwards."""
    with errors.opened() as errlog:
        async with anyio.create_task_group() as group:
            group.start_soon(errors.keep_short)
            async with spoken_with(server, folder=str(folder), errlog=errlog, hooks=hooks) as streams:
                yield streams
            group.cancel_scope.cancel()


@asynccontextmanager
async def http(server: McpServerSettings, *, hooks: Hooks) -> AsyncIterator[Streams]:
    """A streamable HTTP server."""
    # Unpacked, a small answer could be of any size.
    headers = {"accept-encoding": "identity"}
    headers |= {name: value.get_secret_value() for name, value in server.headers.items()}
    timeout = httpx2.Timeout(_CONNECT_S, read=None)
    outbox = Outbox(hooks)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks={"response": [_limit]}) as client,
        streamable_http_client(server.url or "", http_client=client, max_sse_event_size=MOST_BYTES) as (read, write),
        anyio.create_task_group() as group,
    ):
        group.start_soon(outbox.delivered, write.send)
        yield Inbox(read, hooks), outbox
        group.cancel_scope.cancel()


class _Limited(httpx2.AsyncByteStream):
    """A body of which no more is read than a message may have."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, packed: str) -> None:
        self._stream = stream
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._packed:
            raise httpx2.StreamError(f"it is packed ({self._packed}), which was not asked for")
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MOST_BYTES:
                raise httpx2.StreamError(f"a message of more than {MOST_BYTES:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _limit(response: httpx2.Response) -> None:
    """Limit a body that is one message; the SDK limits the events of one that is a stream of them."""
    packed = response.headers.get("content-encoding", "identity").lower()
    streamed = "text/event-stream" in response.headers.get("content-type", "")
    if isinstance(response.stream, httpx2.AsyncByteStream) and (packed != "identity" or not streamed):
        response.stream = _Limited(response.stream, packed="" if packed == "identity" else packed)
