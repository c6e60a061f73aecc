"""All servers of a configuration, side by side: up together, down together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from orchestrator.fleet.launcher.plan import ServerPlan
from orchestrator.fleet.launcher.server import Change, LaunchedServer

__all__ = ["Launcher", "launched"]


class Launcher:
    """The servers that were started. `up` waits for them; `failed` are those that were given up or not started."""

    def __init__(self, servers: Sequence[LaunchedServer]) -> None:
        self.servers = tuple(servers)
        self.over = anyio.Event()
        """Set when none of them runs any more, though nobody stopped them."""

    @property
    def failed(self) -> list[LaunchedServer]:
        """Those that will not run."""
        return [server for server in self.servers if server.state in {"refused", "given up"}]

    async def up(self) -> bool:
        """Wait until each is healthy or has failed; whether all are healthy."""
        for server in self.servers:
            await server.healthy.wait()
        return not self.failed


@asynccontextmanager
async def launched(
    plans: Sequence[ServerPlan], *, logs: Path, told: Callable[[Change], None]
) -> AsyncIterator[Launcher]:
    """The servers of these plans, kept running inside the block and stopped, to the last process, at its end."""
    launcher = Launcher([LaunchedServer(plan, logs=logs, told=told) for plan in plans])
    async with anyio.create_task_group() as group:

        async def one(server: LaunchedServer) -> None:
            await server.run()
            if all(each.state in {"refused", "given up"} for each in launcher.servers):
                launcher.over.set()

        for server in launcher.servers:
            group.start_soon(one, server)
        try:
            yield launcher
        finally:
            group.cancel_scope.cancel()
