"""A whole MCP server as one expert: chooses the tool for each query, or that none of them serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import structlog
from anyio.abc import TaskStatus

from orchestrator import wire
from orchestrator.config.kinds import McpSettings
from orchestrator.conversation.turns import query_of
from orchestrator.errors import ExpertFailed, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.mcp.arguments import Signature
from orchestrator.experts.mcp.calls import Call, called, drafted, repeatable
from orchestrator.experts.mcp.connection import connection_of
from orchestrator.experts.mcp.reaching import looked_at, unreached
from orchestrator.experts.mcp.selection import Selected, question, selected
from orchestrator.experts.mcp.toolbox import Toolbox
from orchestrator.experts.protocol import Capabilities, Condition, LiveProblem
from orchestrator.experts.site import Site
from orchestrator.types import ChatRequest, Draft, Emit, ToolChoice, Usage
from routers.tools import Shortlist

__all__ = ["McpServerExpert"]

log = structlog.get_logger()

_SHOWN = 3  # of a shortlist, in a refusal


class McpServerExpert:
    """Calls whichever tool of a server fits. A query that none fits is refused, so that the next expert is asked."""

    capabilities = Capabilities(chat=False)

    def __init__(self, id: str, settings: McpSettings, site: Site) -> None:  # noqa: A002 - the contract's name
        self.id = id
        self._settings = settings
        self._site = site
        self._connection = connection_of(settings.server, site)
        name = settings.choosing.embedder
        self._toolbox = Toolbox(self._connection, settings, None if name == "none" else site.embedder(name))

    @property
    def condition(self) -> Condition:
        """Up while the server is connected and has a tool that may be called."""
        condition = self._connection.condition
        if condition.state == "up" and not self._toolbox.allowed():
            reason = f"none of its {len(self._connection.tools)} tools may be called: see tools.include and allow"
            return Condition(state="down", reason=reason)
        return condition

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep the server connected, and its tools ready to be chosen from."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._connection.serve)
            await self._connection.reached("up", "down")
            group.start_soon(self._toolbox.follow)
            task_status.started()

    async def live_problems(self) -> list[LiveProblem]:
        """Whether the server can be reached, and has tools that may be called; see `LiveChecked`."""
        condition, reached = await looked_at(self._connection, lambda: self.condition)
        if condition.state == "up":
            return []
        if not reached:
            return [unreached(self._settings.server, condition.reason)]
        return [LiveProblem(key=(), message=condition.reason)]

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        """Choose a tool for the latest request of the conversation, and call it or ask for what it lacks."""
        with anyio.CancelScope(deadline=request.deadline):
            started = anyio.current_time()
            await self._connection.reached("up", "down")
            if self.condition.state != "up":
                raise ExpertUnavailable(self.id, self.condition.reason)
            shortlist, signatures = await self._shortlist(request)
            chosen = await self._selected([signatures[one.tool.name] for one in shortlist.candidates], request)
            draft = await self._answered(chosen, shortlist, request, started=started)
            await wire.emit_whole(draft, request, emit)
            return draft
        raise ExpertTimeout(self.id, f"no answer before the deadline (the server is {self.condition.state})")

    async def _shortlist(self, request: ChatRequest) -> tuple[Shortlist, Mapping[str, Signature]]:
        try:
            queries = _queries(request)
        except (KeyError, TypeError, AttributeError) as error:
            raise ExpertRejected(self.id, "the request has no list of messages") from error
        if not queries:
            raise ExpertRejected(self.id, "the request has no text to choose a tool by")
        try:
            shortlist, signatures = await self._toolbox.shortlist(queries)
        except Exception as error:  # supervised border: an embedder is a plugin and may raise anything
            raise ExpertFailed(self.id, f"the tools could not be compared: {error}") from error
        if not shortlist.fits:
            near = ", ".join(f"{one.tool.name} {one.likeness:.2f}" for one in shortlist.candidates[:_SHOWN])
            raise ExpertRejected(self.id, f"no tool fits the request (nearest: {near or 'none'})")
        return shortlist, signatures

    async def _selected(self, tools: Sequence[Signature], request: ChatRequest) -> Selected:
        extractor = self._settings.arguments_by or ""
        chosen = await selected(tools, site=self._site, extractor=extractor, request=request, expert=self.id)
        if chosen.tool is None:
            named = ", ".join(tool.name for tool in tools)
            raise ExpertRejected(self.id, f"no tool fits the request, says {extractor!r} (of {named})")
        return chosen

    async def _answered(self, chosen: Selected, shortlist: Shortlist, request: ChatRequest, *, started: float) -> Draft:
        name = chosen.tool.name if chosen.tool else ""
        scores = {one.tool.name: round(one.score, 4) for one in shortlist.candidates}
        choice = ToolChoice(tool=name, shortlist=scores, missing=chosen.missing)
        log.info("mcp.tool_chosen", expert=self.id, tool=name, shortlist=scores, missing=chosen.missing)
        if chosen.missing:
            asking = question(chosen)
            total_s = anyio.current_time() - started
            return Draft(expert=self.id, text=asking, usage=chosen.usage, total_s=total_s, tool_choice=choice)
        return await self._called(name, chosen.arguments, choice, request, usage=chosen.usage, started=started)

    async def _called(
        self,
        name: str,
        arguments: Mapping[str, Any],
        choice: ToolChoice,
        request: ChatRequest,
        *,
        usage: Usage,
        started: float,
    ) -> Draft:
        tool = self._toolbox.allowed().get(name)
        if tool is None:  # its server has changed it, or taken it away, since it was chosen
            raise ExpertRejected(self.id, f"tool {name!r} may no longer be called")
        call = Call(name, arguments, repeatable=repeatable(tool, self._settings.repeat))
        result = await called(call, self._connection, settings=self._settings, request=request, expert=self.id)
        total_s = anyio.current_time() - started
        most_kb = self._settings.max_result_kb
        draft = drafted(result, name, expert=self.id, most_kb=most_kb, usage=usage, total_s=total_s)
        return replace(draft, tool_choice=choice)


def _queries(request: ChatRequest) -> list[str]:
    """What to choose a tool by: the latest request; or, where none fits it, that and the one before together.

    "Oslo", the answer to a question of ours, says nothing of a tool.
    """
    users = [message for message in request.messages if message.get("role") == "user"]
    latest = query_of(users)
    before = query_of(users[:-1])
    return [text for text in (latest, f"{before}\n{latest}" if before else "") if text]
