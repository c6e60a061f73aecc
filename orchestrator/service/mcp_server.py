"""The MCP server that tools and resources are put into: what it works on, and how it tells agents of mistakes.

Knows neither the tools nor what carries the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import MCPError
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.message import SessionMessage
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, InputRequiredResult, Resource, ResourceTemplate
from pydantic import AnyUrl, ValidationError

from orchestrator.errors import RunError
from orchestrator.service import mcp_resources
from orchestrator.service.mcp_opening import Opening, opening
from orchestrator.service.mcp_progress import Steps
from orchestrator.trace import Trace

if TYPE_CHECKING:  # its import takes longer than agents should wait to be greeted
    from orchestrator.engine import Engine

__all__ = ["AgentServer", "Surface", "ToolContext", "surface_of"]

INSTRUCTIONS = "Ask anything: each query goes to the expert that knows its kind best."


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What tools and resources work on. note: takes what a request has come to, once it ended."""

    engine: Engine
    note: Callable[[Trace], None]


ToolContext = Context[Opening[Surface], Any]


async def surface_of(context: ToolContext, steps: Steps | None = None) -> Surface:
    """What a call works on, waited for while it opens; steps: those of the call, where it tells of more.

    Raises:
        RunError: it cannot be opened, or was not in time.

    """
    steps = steps or Steps(context.report_progress)
    return await context.request_context.lifespan_context.there(steps.tell)


class AgentServer(MCPServer[Opening[Surface]]):
    """A server of these tools, listed in their order, and of the resources; it holds no state of a client.

    source: opens what the tools work on, once for whatever carries the protocol, and beside it: agents are greeted and
    told the tools meanwhile. limit_s: most seconds that a call waits for it.
    """

    def __init__(
        self, tools: Sequence[Tool], source: Callable[[], AbstractAsyncContextManager[Surface]], *, limit_s: float
    ) -> None:
        super().__init__(
            "expert-orchestrator",
            instructions=INSTRUCTIONS,
            version=version("expert-orchestrator"),
            tools=list(tools),
            lifespan=lambda _: opening(source, limit_s=limit_s),
            subscriptions=False,  # nothing listed here changes while it runs
        )
        self._arguments = {tool.name: tuple(tool.parameters["properties"]) for tool in tools}
        for tool in tools:
            tool.parameters["additionalProperties"] = False

    async def serve_messages(
        self,
        messages: MemoryObjectReceiveStream[SessionMessage | Exception],
        answers: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        """Serve one agent whose messages come from a stream, in the era it begins with, until that stream ends."""
        await self._lowlevel_server.run(messages, answers, self._lowlevel_server.create_initialization_options())

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: ToolContext | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what its caller can mend is a `ToolError` of a few plain words.

        Raises:
            MCPError: there is no such tool.
            ToolError: its arguments are wrong, or it failed.

        """
        if name not in self._arguments:
            message = f"Unknown tool {name!r}. Known: {', '.join(self._arguments)}."
            raise MCPError(code=INVALID_PARAMS, message=message)
        if unknown := [given for given in arguments if given not in self._arguments[name]]:
            known = ", ".join(self._arguments[name]) or "none"
            raise ToolError(f"Unknown argument {unknown[0]!r}; {name} takes: {known}.")
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            raise ToolError(_plain(error)) from error.__cause__

    async def list_resources(self) -> list[Resource]:
        """What can be read without an id."""
        return list(mcp_resources.RESOURCES)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """What can be read by its id."""
        return list(mcp_resources.TEMPLATES)

    async def read_resource(
        self, uri: AnyUrl | str, context: ToolContext | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """One of them, as JSON.

        Raises:
            ResourceNotFoundError: there is none of that address.
            MCPError: the service cannot be opened, or not in time.

        """
        if context is None:
            raise ResourceNotFoundError("Resources are read by a client's request.")
        try:
            surface = await surface_of(context)
        except RunError as error:
            raise MCPError(code=INTERNAL_ERROR, message=str(error)) from error
        found = mcp_resources.read(surface.engine, unquote(str(uri)))
        if found is None:
            raise ResourceNotFoundError(f"No resource {str(uri)!r}; see resources/list and resources/templates/list.")
        return [ReadResourceContents(content=found, mime_type=mcp_resources.JSON)]


def _plain(error: ToolError) -> str:
    """What went wrong, without the names of what noticed it."""
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        return "; ".join(map(_problem, cause.errors(include_url=False, include_input=False))) + "."
    return str(error if cause is None else cause)


def _problem(found: Mapping[str, Any]) -> str:
    where = ".".join(map(str, found["loc"]))
    return f"{where!r}: {found['msg']}"
