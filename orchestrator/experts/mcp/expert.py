"""The MCP expert: one tool of a server as an expert that answers queries."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import anyio
from anyio.abc import TaskStatus
from mcp_types import CallToolResult

from orchestrator import wire
from orchestrator.config.kinds import McpSettings
from orchestrator.conversation.turns import query_of
from orchestrator.errors import ExpertMisconfigured, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.mcp.arguments import Signature, filled
from orchestrator.experts.mcp.calls import Call, called, drafted, repeatable
from orchestrator.experts.mcp.connection import connection_of
from orchestrator.experts.mcp.extraction import extract
from orchestrator.experts.mcp.listing import ListedTool, refusal
from orchestrator.experts.mcp.reaching import looked_at, unreached
from orchestrator.experts.protocol import Capabilities, Condition, LiveProblem
from orchestrator.experts.site import Site
from orchestrator.types import ChatRequest, Draft, Emit, Usage

__all__ = ["McpExpert"]

_KNOWN_SHOWN = 20  # of a server's tools, where one is asked for that it does not have


class McpExpert:
    """Calls one tool. Where its arguments come from is settled by the settings, or by a signature with one string."""

    capabilities = Capabilities(chat=False)

    def __init__(self, id: str, settings: McpSettings, site: Site) -> None:  # noqa: A002 - the contract's name
        self.id = id
        self._settings = settings
        self._site = site
        self._connection = connection_of(settings.server, site)
        self._read: tuple[ListedTool, Signature] | None = None

    @property
    def condition(self) -> Condition:
        """Up while the server is connected and has the tool, and its arguments can be filled in."""
        condition = self._connection.condition
        if condition.state != "up":
            return condition
        try:
            self._signature()
        except ValueError as error:
            return Condition(state="down", reason=str(error))
        return condition

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep the server connected, together with the other experts that use it."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._connection.serve)
            await self._connection.reached("up", "down")
            task_status.started()

    async def live_problems(self) -> list[LiveProblem]:
        """Whether the server can be reached, and has the tool; see `LiveChecked`."""
        condition, reached = await looked_at(self._connection, lambda: self.condition)
        if condition.state == "up":
            return []
        if not reached:
            return [unreached(self._settings.server, condition.reason)]
        tool = self._connection.tools.get(self._settings.tool)
        at_the_tool = tool is None or refusal(tool, allow=self._settings.allow)
        return [LiveProblem(key=("tool",) if at_the_tool else (), message=condition.reason)]

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        """Call the tool for the latest request of the conversation."""
        with anyio.CancelScope(deadline=request.deadline):
            started = anyio.current_time()
            await self._connection.reached("up", "down")
            signature = self._ready()
            arguments, usage = await self._arguments(signature, request)
            result = await self._called(arguments, request)
            draft = self._draft(result, usage, total_s=anyio.current_time() - started)
            await wire.emit_whole(draft, request, emit)
            return draft
        raise ExpertTimeout(self.id, f"no answer before the deadline (the tool is {self.condition.state})")

    def _ready(self) -> Signature:
        condition = self._connection.condition
        if condition.state != "up":
            raise ExpertUnavailable(self.id, condition.reason)
        try:
            return self._signature()
        except _Refused as error:
            raise ExpertMisconfigured(self.id, str(error)) from error
        except ValueError as error:
            raise ExpertUnavailable(self.id, str(error)) from error

    def _signature(self) -> Signature:
        """What the tool takes; ValueError says why it cannot be called."""
        tools = self._connection.tools
        tool = tools.get(self._settings.tool)
        if tool is None:
            raise ValueError(_unknown(self._settings.tool, tools))
        if grounds := refusal(tool, allow=self._settings.allow):
            raise _Refused(grounds)
        if self._read is None or self._read[0] is not tool:
            self._read = tool, Signature(tool.name, tool.description, tool.input_schema)
        signature = self._read[1]
        if self._settings.arguments is None and self._settings.arguments_by is None and signature.only_string is None:
            message = f"tool {tool.name!r} does not require just one string: give 'arguments' or 'arguments_by'"
            raise ValueError(message)
        return signature

    async def _arguments(self, signature: Signature, request: ChatRequest) -> tuple[Mapping[str, Any], Usage]:
        query = self._query(request)
        if self._settings.arguments_by is not None:
            extractor = self._settings.arguments_by
            return await extract(
                query, signature, site=self._site, extractor=extractor, request=request, expert=self.id
            )
        if self._settings.arguments is not None:
            arguments = {name: filled(value, query) for name, value in self._settings.arguments.items()}
        else:
            arguments = {str(signature.only_string): query}
        problem = signature.problem(arguments)
        if problem:
            raise ExpertRejected(self.id, f"the arguments do not fit {signature.name!r}: {problem}")
        return arguments, Usage()

    def _query(self, request: ChatRequest) -> str:
        """The latest request of the conversation; it may be without text only where a template stands."""
        try:
            query = query_of(request.messages)
        except (KeyError, TypeError, AttributeError) as error:
            raise ExpertRejected(self.id, "the request has no list of messages") from error
        if not query and self._settings.arguments is None:
            raise ExpertRejected(self.id, f"the request has no text for {self._settings.tool!r}")
        return query

    async def _called(self, arguments: Mapping[str, Any], request: ChatRequest) -> CallToolResult:
        name = self._settings.tool
        call = Call(name, arguments, repeatable=repeatable(self._connection.tools.get(name), self._settings.repeat))
        return await called(call, self._connection, settings=self._settings, request=request, expert=self.id)

    def _draft(self, result: CallToolResult, usage: Usage, *, total_s: float) -> Draft:
        most_kb = self._settings.max_result_kb
        return drafted(result, self._settings.tool, expert=self.id, most_kb=most_kb, usage=usage, total_s=total_s)


class _Refused(ValueError):
    """A tool that the configuration does not allow to be called."""


def _unknown(tool: str, tools: Mapping[str, ListedTool]) -> str:
    known = ", ".join(sorted(tools)[:_KNOWN_SHOWN]) or "none"
    if len(tools) > _KNOWN_SHOWN:
        known += f" and {len(tools) - _KNOWN_SHOWN} more"
    near = get_close_matches(tool, tools, n=1)
    return f"no tool {tool!r} (known: {known}{f'; did you mean {near[0]!r}?' if near else ''})"
