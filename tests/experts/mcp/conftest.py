"""MCP servers of our own: one in this process over HTTP, one as a process over stdio; and a site to use them from."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
import uvicorn
from mcp import MCPError
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    AudioContent,
    BlobResourceContents,
    EmbeddedResource,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from pydantic import BaseModel, Field

from orchestrator.config.kinds import McpServerSettings, McpSettings
from orchestrator.experts import Expert, Site
from orchestrator.experts.mcp.connection import Connection
from orchestrator.experts.mcp.expert import McpExpert
from orchestrator.experts.mcp.identity import server_key
from orchestrator.experts.mcp.pace import Pace
from orchestrator.types import ChatRequest, Chunk

QUICK = Pace(connect_s=20.0, retry_s=0.01, most_s=0.05, patience_s=0.0)
"""Tries again at once, and keeps nobody waiting meanwhile."""


class Weather(BaseModel):
    """A structured result."""

    city: str
    degrees: int


class WeatherServer:
    """A real MCP server on loopback. `calls` are the arguments its tools saw; `held` calls wait for `release`."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.held = anyio.Event()
        self.release = anyio.Event()
        self.left = anyio.Event()
        self.port = 0

    @property
    def settings(self) -> McpServerSettings:
        return self.spoken_to("auto")

    def spoken_to(self, protocol: Literal["auto", "legacy"]) -> McpServerSettings:
        return McpServerSettings(url=f"http://127.0.0.1:{self.port}/mcp", protocol=protocol)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Reachable inside the block; always at the same address."""
        listener = socket.create_server(("127.0.0.1", self.port))  # closed by the server
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._recorded(self._tools().streamable_http_app()),
            log_level="critical",
            ws="none",
            timeout_graceful_shutdown=0,
        )
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            try:
                yield
            finally:
                server.should_exit = True

    def _recorded(self, app: Any) -> Any:
        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            self.headers = {name.decode(): value.decode() for name, value in scope.get("headers", ())} or self.headers
            await app(scope, receive, send)

        return recorded

    def _tools(self) -> MCPServer:
        server = MCPServer("weather")

        @server.tool()
        def echo(text: str) -> str:
            """Say it again."""
            self.calls.append({"text": text})
            return text

        @server.tool(description="Current weather of a city.")
        def weather(city: str, days: int = Field(ge=1, le=7)) -> Weather:
            self.calls.append({"city": city, "days": days})
            if city == "Atlantis":
                message = "no such city"
                raise ToolError(message)
            return Weather(city=city, degrees=7 * days)

        @server.tool()
        async def hold(text: str) -> str:
            self.held.set()
            try:
                await self.release.wait()
            except anyio.get_cancelled_exc_class():
                self.left.set()
                raise
            return text

        @server.tool(structured_output=False)
        def album(name: str) -> list[Any]:
            link = ResourceLink(type="resource_link", name="more", uri=f"file:///{name}")
            return [TextContent(type="text", text=f"Of {name}:"), Image(data=b"\x89PNG", format="png"), link]

        @server.tool(structured_output=False)
        def flood(text: str) -> str:
            return text * 300_000

        @server.tool()
        def refuse(what: str) -> str:
            raise MCPError(INVALID_PARAMS if what == "params" else INTERNAL_ERROR, f"wrong {what}")

        return server


class WorkshopServer(WeatherServer):
    """Tools that say what they do, tell how far they are, and come and go."""

    def _tools(self) -> MCPServer:
        server = MCPServer("workshop")

        @server.tool(annotations=ToolAnnotations(destructive_hint=True))
        def wipe(what: str) -> str:
            self.calls.append({"what": what})
            return f"{what} is gone"

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        async def steps(text: str, context: Context) -> str:
            for step in range(1, 4):
                await context.report_progress(step, 3, f"step {step}\u202e\x07")
            self.held.set()
            await self.release.wait()
            return text

        @server.tool(annotations=ToolAnnotations(read_only_hint=True), structured_output=False)
        def gallery(name: str) -> list[Any]:
            text = TextResourceContents(uri="memo://1", mime_type="text/plain", text=f"On {name}.")
            blob = BlobResourceContents(uri="memo://2", mime_type="application/pdf", blob="JVBERg==")
            return [
                TextContent(type="text", text=f"Of {name}:"),
                Image(data=b"\x89PNG", format="png"),
                AudioContent(type="audio", data="UklGRg==", mime_type="audio/wav"),
                ResourceLink(type="resource_link", name="more", uri="file:///more", mime_type="text/html"),
                EmbeddedResource(type="resource", resource=text),
                EmbeddedResource(type="resource", resource=blob),
            ]

        @server.tool()
        async def grow(name: str, context: Context) -> str:
            server.add_tool(_echoed, name=name)
            await context.notify_tools_changed()
            await context.session.send_tool_list_changed()
            return name

        return server


def _echoed(text: str) -> str:
    return text


@pytest.fixture
async def workshop() -> AsyncIterator[WorkshopServer]:
    """The other server, listening."""
    server = WorkshopServer()
    async with server.listening():
        yield server


@pytest.fixture
async def weather() -> AsyncIterator[WeatherServer]:
    """The server, listening."""
    server = WeatherServer()
    async with server.listening():
        yield server


@pytest.fixture
async def silent_weather() -> WeatherServer:
    """The server, not listening yet."""
    return WeatherServer()


class Place:
    """A site, and experts on it; their connections are quick to try again."""

    def __init__(self, folder: Path) -> None:
        self.experts: dict[str, Expert] = {}
        self.site = Site(
            folder=folder, cache=folder / "cache", expert=lambda expert: self.experts[expert], embedder=_no_embedder
        )

    def connection(self, server: McpServerSettings, pace: Pace = QUICK) -> Connection:
        return self.site.share(server_key(server), lambda: Connection(server, self.site, pace=pace))

    def expert(self, server: McpServerSettings, *, pace: Pace = QUICK, **settings: Any) -> McpExpert:
        self.connection(server, pace)
        return McpExpert("tool", McpSettings(server=server, **settings), self.site)


def _no_embedder(name: str) -> Any:
    raise AssertionError(name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site in an empty folder."""
    return Place(tmp_path)


AskedFor = Callable[..., ChatRequest]


@pytest.fixture
def asked() -> AskedFor:
    """Makes a request of a question and further fields of the body."""

    def make(question: str, *, deadline_s: float = 20.0, **fields: Any) -> ChatRequest:
        body = {"model": "auto", "messages": [{"role": "user", "content": question}], **fields}
        return ChatRequest(body=body, deadline=anyio.current_time() + deadline_s)

    return make


class Emitted(list[Chunk]):
    """An `emit` that keeps what it is given."""

    async def __call__(self, chunk: Chunk) -> None:
        self.append(chunk)


@pytest.fixture
def emitted() -> Emitted:
    """What an expert has emitted."""
    return Emitted()


@pytest.fixture
def unused_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
