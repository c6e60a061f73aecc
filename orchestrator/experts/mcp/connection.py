"""One connection to one MCP server, shared by every expert that uses it: kept up by one task, called by any.

A client must be entered and left by the same task. So the connection belongs to a task that runs `serve`; it connects,
waits until the connection is broken, leaves and connects again. A call that comes just after one was lost waits for the
next; while there is none for longer, calls fail at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Any, Literal

import anyio
import structlog
from mcp import Client, MCPError
from mcp.client.session import IncomingMessage
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import CallToolResult, ToolListChangedNotification

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import ExpertDoubtful, ExpertError, ExpertFailed, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.mcp.error_log import ErrorLog
from orchestrator.experts.mcp.failures import cut_off, failure_of, is_lost, line_of, once, reason_of
from orchestrator.experts.mcp.identity import log_path, server_key, shown
from orchestrator.experts.mcp.listing import ListedTool, listed
from orchestrator.experts.mcp.pace import Pace
from orchestrator.experts.mcp.streams import Hooks, Streams
from orchestrator.experts.mcp.transport import http, stdio
from orchestrator.experts.mcp.watch import Watch
from orchestrator.experts.protocol import Condition, State
from orchestrator.experts.site import Site

__all__ = ["Connection", "connection_of"]

log = structlog.get_logger()

_FLAPS = 3  # connections in a row that did not last: the next to be lost is not waited for
_STRANGE_CHARS = 400  # of the first thing that was no message
_REASON_CHARS = 400


class Connection:
    """A connection that comes back by itself.

    tools: what the server listed last, by name; it stays while the connection is lost. revision: counts its changes.
    protocol: the version that is spoken, empty before the first connection.
    """

    def __init__(self, server: McpServerSettings, site: Site, *, pace: Pace | None = None) -> None:
        self.condition = Condition(state="starting", reason="not started yet")
        self.tools: Mapping[str, ListedTool] = MappingProxyType({})
        self.revision = 0
        self.protocol = ""
        self._server = server
        self._site = site
        self._pace = pace or Pace()
        self._name = shown(server)
        self._errors = ErrorLog(log_path(server, site.cache))
        self._mode: Literal["auto", "legacy"] = server.protocol
        self._owned = anyio.Lock()
        self._changed = anyio.Event()
        self._broken = anyio.Event()
        self._client: Client | None = None
        self._watch: Watch | None = None
        self._failures = 0
        self._up_at, self._lost_at = math.inf, -math.inf
        self._why_ended = ""
        self._logged = ""
        self._strange = False

    async def serve(self) -> None:
        """Keep the connection up until cancelled.

        Every expert on this server runs it. One of them owns the connection; when that one leaves, the next does.
        """
        async with self._owned:
            self._failures, self._lost_at, self._up_at = 0, -math.inf, math.inf
            async with anyio.create_task_group() as group:
                group.start_soon(self._lose_patience)
                while True:
                    await self._attempt()
                    self._failures, self._up_at = self._failures_now(), math.inf
                    await anyio.sleep(self._pace.pause_s(self._failures))

    async def reached(self, *states: State) -> None:
        """Wait until the connection is in one of these states."""
        while self.condition.state not in states:
            await self._changed.wait()

    async def changed(self, revision: int) -> int:
        """Wait until the tools are no longer those of that revision; the present one."""
        while self.revision == revision:
            await self._changed.wait()
        return self.revision

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        expert: str,
        timeout_s: float,
        repeatable: bool = False,
        heard: ProgressFnT | None = None,
    ) -> CallToolResult:
        """The tool's result, an error of the tool included.

        repeatable: whether the same call may be made again when it was left without an answer. heard: takes progress;
        it must not wait for anything.

        Raises:
            ExpertError: named after `expert`; there was no result.

        """
        client = self._client
        if client is None:
            raise ExpertUnavailable(expert, self.condition.reason)
        # The SDK's own limit begins only once the call has been written, which a server that hangs can prevent.
        with anyio.move_on_after(timeout_s):
            try:
                return await client.call_tool(tool, dict(arguments), progress_callback=heard)
            except MCPError as error:
                failure = self._failure(error, client, expert)
                raise failure if repeatable else once(failure, error) from error
            except anyio.get_cancelled_exc_class():  # most often for want of an answer, whoever's limit it was
                self._doubt()
                raise
            except Exception as error:  # supervised border: what a strange server makes the SDK raise
                kind = ExpertFailed if repeatable else ExpertDoubtful
                raise kind(expert, f"{tool!r} gave no usable result: {line_of(error)}") from error
        raise ExpertTimeout(expert, f"{tool!r} took longer than {timeout_s:.3g} s")

    async def _attempt(self) -> None:
        """One connection from beginning to end; whatever ended it is the reason to be down."""
        self._broken, self._why_ended = anyio.Event(), ""
        mode = self._mode
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + self._pace.connect_s) as scope:
                client = Client(self._transport(), cache=None, mode=mode, message_handler=self._hear)
                async with client:
                    await self._attend(client, scope)
                    scope.cancel()  # a broken connection is left without farewells that could hang
            if scope.deadline != math.inf:
                hint = "; it sends what is no message" if self._strange else ""
                self._fail(f"no answer within {self._pace.connect_s:g} s{hint}")
        except Exception as error:  # noqa: BLE001 - supervised border; often an ExceptionGroup of the transport
            self._fail(self._reason(error))
        except BaseException:
            self._set(Condition(state="starting", reason="not in service"))  # until another owner takes over
            raise
        if self._up_at == math.inf and self._server.protocol == "auto":
            self._mode = "legacy" if mode == "auto" else "auto"  # a server may not bear to be asked for the newest
        if self.condition.reason != self._logged:
            self._logged = self.condition.reason
            log.warning("mcp.down", server=self._name, reason=self._logged)

    async def _attend(self, client: Client, connecting: anyio.CancelScope) -> None:
        """Be up until the connection is broken."""
        self._take(await listed(client))
        connecting.deadline = math.inf  # the limit was for connecting
        watch = Watch(client, self._pace, took=self._take, lose=lambda reason: self._lose(client, reason))
        try:
            self._client, self._watch = client, watch
            self._up_at, self._logged = anyio.current_time(), ""
            self.protocol = client.protocol_version
            self._set(Condition(state="up"))
            log.info("mcp.up", server=self._name, protocol=self.protocol, tools=sorted(self.tools))
            async with anyio.create_task_group() as group:
                group.start_soon(watch.keep)
                await self._broken.wait()
                group.cancel_scope.cancel()
        finally:
            self._lose(client)

    async def _hear(self, message: IncomingMessage) -> None:
        """What a server tells beside its answers."""
        if isinstance(message, ToolListChangedNotification) and self._watch is not None:
            self._watch.stale()

    def _take(self, tools: Mapping[str, ListedTool]) -> None:
        """Remember what was listed; tools that are as they were stay the same objects."""
        kept = {name: self.tools[name] if self.tools.get(name) == tool else tool for name, tool in tools.items()}
        if kept != self.tools or not self.revision:
            self.tools = MappingProxyType(kept)
            self.revision += 1
            self._tell()

    async def _lose_patience(self) -> None:
        """No longer keep calls waiting once a connection has been lost for too long."""
        while True:
            changed = self._changed
            until = self._lost_at + self._pace.patience_s
            waited_for = self.condition.state == "starting" and until > -math.inf
            if waited_for and anyio.current_time() >= until:
                self._set(Condition(state="down", reason=self.condition.reason))
                continue
            with anyio.move_on_after(until - anyio.current_time() if waited_for else None):
                await changed.wait()

    def _failures_now(self) -> int:
        """Attempts in a row that came to nothing, or to a connection that did not last."""
        return 0 if anyio.current_time() - self._up_at > self._pace.most_s else self._failures + 1

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

    def _ended(self, why: str) -> None:
        self._why_ended = self._why_ended or why
        self._broken.set()
        if self._client is not None:
            self._lose(self._client)

    def _lose(self, client: Client, reason: str = "") -> None:
        """The connection is gone, though its owner may not have left it yet. Later calls on it change nothing."""
        if self._client is client:
            self._client, self._watch = None, None
            if self._failures_now() <= _FLAPS:
                self._lost_at = anyio.current_time()
            self._fail(reason or self._reason(None))
            self._broken.set()

    def _failure(self, error: MCPError, client: Client, expert: str) -> ExpertError:
        """What an error of the protocol means for a call; the connection is lost, or doubted, where it says so."""
        if is_lost(error):
            self._lose(client, self._reason(error))
            return ExpertUnavailable(expert, self.condition.reason or line_of(error))
        if cut_off(error):
            self._doubt()
        return failure_of(error, expert)

    def _doubt(self) -> None:
        if self._watch is not None:
            self._watch.doubt()

    def _reason(self, error: BaseException | None) -> str:
        """Why the connection is down, in one line: what happened, and what the server said last."""
        what = self._why_ended or reason_of(error, command=self._server.command)
        said = self._errors.last_line() if self._server.command else ""
        return (f"{what}; its last words: {said}" if said else what)[:_REASON_CHARS]

    def _fail(self, reason: str) -> None:
        """There is no connection. Calls wait for the next while the last has only just been lost."""
        waited_for = anyio.current_time() < self._lost_at + self._pace.patience_s
        self._set(Condition(state="starting" if waited_for else "down", reason=reason))

    def _set(self, condition: Condition) -> None:
        self.condition = condition
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def connection_of(server: McpServerSettings, site: Site) -> Connection:
    """The one connection of this process to a server."""
    return site.share(server_key(server), lambda: Connection(server, site))
