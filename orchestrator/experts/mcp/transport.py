"""Ways to an MCP server: a process on stdin and stdout, or streamable HTTP. Knows no tools and no experts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from mcp.client.streamable_http import streamable_http_client

from orchestrator.config.kinds import McpServerSettings
from orchestrator.experts.mcp.error_log import ErrorLog
from orchestrator.experts.mcp.http_client import HttpClient
from orchestrator.experts.mcp.process import MOST_BYTES, spoken_with
from orchestrator.experts.mcp.streams import Hooks, Inbox, Outbox, Streams

__all__ = ["http", "stdio"]


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
    headers = {name: value.get_secret_value() for name, value in server.headers.items()}
    outbox = Outbox(hooks)
    async with (
        HttpClient(headers, most_bytes=MOST_BYTES) as client,
        streamable_http_client(server.url or "", http_client=client, max_sse_event_size=MOST_BYTES) as (read, write),
        anyio.create_task_group() as group,
    ):
        group.start_soon(outbox.delivered, write.send)
        yield Inbox(read, hooks), outbox
        group.cancel_scope.cancel()
