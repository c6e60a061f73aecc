"""The service with its MCP endpoint on a real socket, and official clients of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from orchestrator.engine import Engine
from orchestrator.experts import Expert
from orchestrator.service.app import create_app
from tests.flowing import flowing
from tests.service.serving import listening

__all__ = ["CATEGORIES", "JSON", "MODES", "agent", "called", "envelope", "post", "serving_agents"]

MODES = ("legacy", "2026-07-28")
"""Of the official client: with a handshake (2025-11-25), and without any session."""
CATEGORIES: dict[str, Any] = {"math": ["solver"], "verses": ["writer"], "general": ["writer"]}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@asynccontextmanager
async def serving_agents(
    *experts: Expert, categories: dict[str, Any] = CATEGORIES, **blocks: Any
) -> AsyncIterator[tuple[str, Engine]]:
    """The address of a service over these experts, and its engine."""
    async with flowing(*experts, categories=categories, **blocks) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with listening(create_app(engine.config, there)) as url:
            yield url, engine


@asynccontextmanager
async def agent(url: str, mode: str, **headers: str) -> AsyncIterator[Client]:
    """An official client, connected."""
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        with anyio.fail_after(30):
            async with Client(transport, mode=mode) as client:
                yield client


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool returned as data."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    found: Any = result.structured_content
    return dict(found)


def envelope(method: str, *, number: int = 1, **params: Any) -> dict[str, Any]:
    """A request of 2026-07-28, which says in itself who asks."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
    }
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": meta}}


async def post(url: str, body: Any, **headers: str) -> httpx.Response:
    """One POST of this body, as JSON unless it is bytes; underscores in names of headers are hyphens."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await client.post(f"{url}/mcp", headers={**JSON, **given}, **content)
