"""One connection to one MCP server, shared by every expert that uses it: kept up by one task, called by any.

A client must be entered and left by the same task. So the connection belongs to a task that runs `serve`; it connects,
waits until the connection is broken, leaves and connects again. Calls fail at once while there is none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import structlog
from mcp import Client, MCPError, Tool
from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, REQUEST_TIMEOUT, CallToolResult

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import ExpertError, ExpertFailed, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.mcp.transport import ErrorLog, Hooks, Streams, http, stdio
from orchestrator.experts.protocol import Condition, State
from orchestrator.experts.site import Site

__all__ = ["Connection", "Pace", "connection_of", "server_key"]

log = structlog.get_logger()

_SESSION_LOST = "Session terminated"  # how the SDK says that an HTTP server no longer knows our session
_STRANGE_CHARS = 400  # of the first thing that was no message


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a connection is; all in seconds.

    connect_s: for starting the server, the handshake and the list of tools.
    retry_s, most_s: wait before the first attempt to reconnect, and the most it doubles to.
    relist_s: between two looks at the tools, which also find an HTTP server that is gone.
    reply_s: for the server to list its tools when a call was left without an answer; one that does not is started anew.
    """

    connect_s: float = 30.0
    retry_s: float = 0.5
    most_s: float = 30.0
    relist_s: float = 60.0
    reply_s: float = 5.0


class Connection:
    """A connection that comes back by itself. `tools` is what the server listed last, by name."""

    def __init__(self, server: McpServerSettings, site: Site, *, pace: Pace | None = None) -> None:
        self.condition = Condition(state="starting", reason="not started yet")
        self.tools: Mapping[str, Tool] = MappingProxyType({})
        self._server = server
        self._site = site
        self._pace = pace or Pace()
        self._name = server.url or " ".join([server.command or "", *server.args])
        self._errors = ErrorLog(_log_path(server, site.cache))
        self._owned = anyio.Lock()
        self._changed = anyio.Event()
        self._broken = anyio.Event()
        self._doubted = anyio.Event()
        self._client: Client | None = None
        self._logged = ""
        self._strange = False

    async def serve(self) -> None:
        """Keep the connection up until cancelled.

        Every expert on this server runs it. One of them owns the connection; when that one leaves, the next does.
        """
        async with self._owned:
            failures = 0
            while True:
                began = anyio.current_time()
                await self._attempt()
                lived = anyio.current_time() - began > self._pace.most_s
                failures = 0 if lived else failures + 1
                await anyio.sleep(min(self._pace.retry_s * 2 ** max(0, failures - 1), self._pace.most_s))

    async def reached(self, *states: State) -> None:
        """Wait until the connection is in one of these states."""
        while self.condition.state not in states:
            await self._changed.wait()

    async def call(self, tool: str, arguments: Mapping[str, Any], *, expert: str, timeout_s: float) -> CallToolResult:
        """The tool's result, an error of the tool included.

        Raises:
            ExpertError: named after `expert`; there was no result.

        """
        client = self._client
        if client is None:
            raise ExpertUnavailable(expert, self.condition.reason)
        try:
            return await client.call_tool(tool, dict(arguments), read_timeout_seconds=timeout_s)
        except MCPError as error:
            if error.code == REQUEST_TIMEOUT:
                self._doubted.set()
                raise ExpertTimeout(expert, f"{tool!r} took longer than {timeout_s:.3g} s") from error
            raise self._failure(error, client, expert) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            self._lose(client)
            raise ExpertUnavailable(expert, self.condition.reason) from error
        except anyio.get_cancelled_exc_class():  # most often for want of an answer: a caller's limit may be shorter
            self._doubted.set()
            raise
        except Exception as error:  # supervised border: what a strange server makes the SDK raise
            raise ExpertFailed(expert, f"{tool!r} gave no usable result: {error}") from error

    async def _attempt(self) -> None:
        """One connection from beginning to end; whatever ended it is the reason to be down."""
        self._broken, self._doubted = anyio.Event(), anyio.Event()
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + self._pace.connect_s) as scope:
                async with Client(self._transport(), cache=None) as client:
                    await self._attend(client, scope)
                    scope.cancel()  # a broken connection is left without farewells that could hang
            if scope.deadline != math.inf:
                hint = "; it sends what is no message" if self._strange else ""
                self._down(f"no answer within {self._pace.connect_s:g} s{hint}")
        except Exception as error:  # noqa: BLE001 - supervised border; often an ExceptionGroup of the transport
            self._down(self._reason(error))
        except BaseException:
            self._set(Condition(state="starting", reason="not in service"))  # until another owner takes over
            raise
        if self.condition.reason != self._logged:
            self._logged = self.condition.reason
            log.warning("mcp.down", server=self._name, reason=self._logged)

    async def _attend(self, client: Client, connecting: anyio.CancelScope) -> None:
        """Be up until the connection is broken."""
        self.tools = await _listed(client)
        connecting.deadline = math.inf  # the limit was for connecting
        try:
            self._client = client
            self._logged = ""
            self._set(Condition(state="up"))
            log.info("mcp.up", server=self._name, tools=sorted(self.tools))
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_listed, client)
                group.start_soon(self._settle_doubts, client)
                await self._broken.wait()
                group.cancel_scope.cancel()
        finally:
            self._lose(client)

    async def _keep_listed(self, client: Client) -> None:
        while True:
            await anyio.sleep(self._pace.relist_s)
            await self._relist(client, within_s=self._pace.connect_s)  # nobody waits: busy is not gone

    async def _settle_doubts(self, client: Client) -> None:
        """Tell a server that hangs from a slow tool, whenever a call was left without an answer."""
        limit_s = self._pace.reply_s
        while True:
            await self._doubted.wait()
            if not await self._relist(client, within_s=limit_s):
                self._lose(client, f"no answer to a call, and none within {limit_s:g} s to a check")
            self._doubted = anyio.Event()

    async def _relist(self, client: Client, *, within_s: float) -> bool:
        """Look at the tools again; whether the server replied in time, be it with an error."""
        with anyio.move_on_after(within_s) as scope:
            await self._look(client)
        return not scope.cancelled_caught

    async def _look(self, client: Client) -> None:
        try:
            self.tools = await _listed(client)
        except MCPError as error:
            log.warning("mcp.not_listed", server=self._name, error=str(error))
            if _is_lost(error):
                self._lose(client)

    def _transport(self) -> AbstractAsyncContextManager[Streams]:
        hooks = Hooks(ended=self._ended, strange=self._mention)
        if self._server.command is None:
            return http(self._server, hooks=hooks)
        return stdio(self._server, folder=self._site.folder, errors=self._errors, hooks=hooks)

    def _mention(self, strange: Exception) -> None:
        """Log the first of what may be thousands a second."""
        if not self._strange:
            self._strange = True
            log.warning("mcp.strange_output", server=self._name, error=str(strange)[:_STRANGE_CHARS])

    def _ended(self) -> None:
        self._broken.set()
        if self._client is not None:
            self._lose(self._client)

    def _lose(self, client: Client, reason: str = "") -> None:
        """The connection is gone, though its owner may not have left it yet. Later calls on it change nothing."""
        if self._client is client:
            self._client = None
            self._down(reason or self._reason(None))
            self._broken.set()

    def _failure(self, error: MCPError, client: Client, expert: str) -> ExpertError:
        if _is_lost(error):
            self._lose(client)
            return ExpertUnavailable(expert, self.condition.reason)
        kind = ExpertRejected if error.code == INVALID_PARAMS else ExpertFailed
        return kind(expert, error.message)

    def _reason(self, error: BaseException | None) -> str:
        """Why the connection is down, in one line: what happened, and what the server said last."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error is None or (isinstance(error, MCPError) and _is_lost(error)):
            what = "the server ended" if self._server.command else "the server hung up"
        elif isinstance(error, OSError) and self._server.command:
            what = f"cannot start {self._server.command!r}: {error}"
        else:
            what = f"{type(error).__name__}: {error}"
        said = self._errors.last_line() if self._server.command else ""
        return f"{what}; its last words: {said}" if said else what

    def _down(self, reason: str) -> None:
        self._set(Condition(state="down", reason=reason))

    def _set(self, condition: Condition) -> None:
        self.condition = condition
        self._changed.set()
        self._changed = anyio.Event()


def connection_of(server: McpServerSettings, site: Site) -> Connection:
    """The one connection of this process to a server."""
    return site.share(server_key(server), lambda: Connection(server, site))


def server_key(server: McpServerSettings) -> Hashable:
    """Equal for settings that reach the same server as the same client."""
    headers = tuple(sorted((name, value.get_secret_value()) for name, value in server.headers.items()))
    return ("mcp", server.command, server.args, tuple(sorted(server.env.items())), server.url, headers)


async def _listed(client: Client) -> Mapping[str, Tool]:
    tools: dict[str, Tool] = {}
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools |= {tool.name: tool for tool in page.tools}
        cursor = page.next_cursor
        if cursor is None:
            return MappingProxyType(tools)


def _is_lost(error: MCPError) -> bool:
    return error.code == CONNECTION_CLOSED or error.message == _SESSION_LOST


def _log_path(server: McpServerSettings, cache: Path) -> Path:
    command = "\0".join([server.command or server.url or "", *server.args])
    name = Path(server.command or "http").name
    return cache / "logs" / f"mcp-{name}-{hashlib.sha256(command.encode()).hexdigest()[:8]}.log"
