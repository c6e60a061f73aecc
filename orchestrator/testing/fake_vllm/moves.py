"""What a server brings to its end although the client that asked for it has left: sleeping, waking, loading."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Moves"]

Result = TypeVar("Result")


class Moves:
    """The moves that are under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def through(self, move: Coroutine[Any, Any, Result]) -> Result:
        """Make a move; whoever waits for it may leave."""
        task = asyncio.ensure_future(move)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, for the case that nobody waits any more

    async def stop(self) -> None:
        """Break off what is under way, as death does."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
