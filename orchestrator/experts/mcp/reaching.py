"""Whether an expert's server can be reached, for a check of the configuration. Knows no tool."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from orchestrator.config.kinds import McpServerSettings
from orchestrator.experts.mcp.connection import Connection
from orchestrator.experts.protocol import Condition, LiveProblem

__all__ = ["looked_at", "unreached"]


async def looked_at(connection: Connection, condition: Callable[[], Condition]) -> tuple[Condition, bool]:
    """An expert's condition once its server has been reached or not, and whether it was; connected for so long."""
    async with anyio.create_task_group() as group:
        group.start_soon(connection.serve)
        await connection.reached("up", "down")
        found, reached = condition(), connection.condition.state == "up"
        group.cancel_scope.cancel()
    return found, reached


def unreached(server: McpServerSettings, reason: str) -> LiveProblem:
    """What to say of a server that was not: one that is elsewhere may come back."""
    if server.command is None:
        return LiveProblem(key=("server", "url"), message=reason, grade="down")
    return LiveProblem(key=("server", "command"), message=reason)
