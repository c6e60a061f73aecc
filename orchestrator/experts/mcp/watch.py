"""Looks after a connection that stands: follows changes of its tools, and finds out when the server no longer answers.

Knows nothing of connecting: it tells when the connection is not worth keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
import structlog
from mcp import Client, MCPError
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from orchestrator.experts.mcp.failures import is_lost, line_of
from orchestrator.experts.mcp.http_client import UNREACHED
from orchestrator.experts.mcp.listing import ListedTool, listed
from orchestrator.experts.mcp.pace import Pace

__all__ = ["Watch"]

log = structlog.get_logger()


class Watch:
    """took: gets the tools whenever they were listed anew. lose: is told that the connection is gone, and why."""

    def __init__(
        self,
        client: Client,
        pace: Pace,
        *,
        took: Callable[[Mapping[str, ListedTool]], None],
        lose: Callable[[str], None],
    ) -> None:
        self._client = client
        self._pace = pace
        self._took = took
        self._lose = lose
        self._doubted = anyio.Event()
        self._stale = anyio.Event()

    def doubt(self) -> None:
        """A call was left without an answer: the server may hang, or the tool be slow."""
        self._doubted.set()

    def stale(self) -> None:
        """The tools are no longer those that were listed."""
        self._stale.set()

    async def keep(self) -> None:
        """Watch until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_listed)
            group.start_soon(self._settle_doubts)
            group.start_soon(self._follow)

    async def _keep_listed(self) -> None:
        while True:
            with anyio.move_on_after(self._pace.relist_s):
                await self._stale.wait()
            self._stale = anyio.Event()
            if not await self._relist(within_s=self._pace.connect_s):  # nobody waits: busy is not gone
                self.doubt()
            await anyio.sleep(self._pace.settle_s)

    async def _settle_doubts(self) -> None:
        """Tell a server that hangs from a slow tool, whenever a call was left without an answer."""
        limit_s = self._pace.reply_s
        while True:
            await self._doubted.wait()
            if not await self._relist(within_s=limit_s):
                self._lose(f"no answer to a call, and none within {limit_s:g} s to a check")
            self._doubted = anyio.Event()

    async def _follow(self) -> None:
        """Hear of changes, where the newer protocol is spoken: there a server tells only those who asked."""
        tools = self._client.server_capabilities.tools
        if self._client.protocol_version not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
            return
        while True:
            try:
                async with self._client.listen(tools_list_changed=True) as events:
                    self.stale()  # what changed before it listened
                    async for _ in events:
                        self.stale()
            except SubscriptionLost:
                self.doubt()
            except (MCPError, ListenNotSupportedError, TimeoutError) as error:
                log.info("mcp.not_followed", error=line_of(error))
                await anyio.sleep(self._pace.relist_s)
            await anyio.sleep(self._pace.reply_s)

    async def _relist(self, *, within_s: float) -> bool:
        """Look at the tools again; whether the server replied in time, be it with an error."""
        with anyio.move_on_after(within_s) as scope:
            try:
                self._took(await listed(self._client))
            except (MCPError, ValueError) as error:
                log.warning("mcp.not_listed", error=line_of(error))
                if isinstance(error, MCPError) and is_lost(error):
                    self._lose(error.message if error.code == UNREACHED else "")
        return not scope.cancelled_caught
