"""Tasks that live as long as a block does, started from anywhere while it is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

__all__ = ["Background"]


class Background:
    """`async with background.open():` cancels at its end whatever `start` began inside."""

    def __init__(self) -> None:
        self._group: TaskGroup | None = None

    def start(
        self, work: Callable[..., Coroutine[Any, Any, object]], *arguments: object, name: str | None = None
    ) -> None:
        """Begin a task; raises RuntimeError outside the block."""
        if self._group is None:
            message = "background tasks are started inside `async with background.open()`"
            raise RuntimeError(message)
        self._group.start_soon(work, *arguments, name=name)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The block; a task that raises ends it."""
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                group.cancel_scope.cancel()
