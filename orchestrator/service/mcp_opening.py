"""What an agent's calls work on while it is still being opened: the agent is greeted at once, its calls wait.

An engine takes seconds to load, with a cold cache half a minute, and hosts give up on a server that does not answer the
handshake. Knows neither engine nor protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, TypeVar

import anyio
import structlog

from orchestrator import clock
from orchestrator.errors import OrchestratorError, RunError, sole
from orchestrator.types import Progress
from routers.errors import RouterError

__all__ = ["Opening", "Tell", "opening"]

TELL_EVERY_S = 1.0
WHO = "orchestrator"
"""Who speaks of progress while no expert can."""

T = TypeVar("T")
Tell = Callable[[Progress], Awaitable[None]]

log = structlog.get_logger()


class Opening(Generic[T]):
    """Something that will be there, or an error that says why not. limit_s: most seconds that a call waits for it."""

    def __init__(self, *, limit_s: float) -> None:
        self.error: OrchestratorError | RouterError | None = None
        self._limit_s = limit_s
        self._since = clock.now()
        self._settled = anyio.Event()
        self._found: T | None = None

    async def there(self, tell: Tell) -> T:
        """It, once it is there. tell: is told meanwhile for how many seconds it has been opening.

        Raises:
            RunError: it cannot be opened, or was not in time.

        """
        with anyio.move_on_after(self._limit_s):
            while not self._settled.is_set():
                await tell(Progress(expert=WHO, done=round(clock.now() - self._since, 1), message="loading"))
                with anyio.move_on_after(TELL_EVERY_S):
                    await self._settled.wait()
        if self.error is not None:
            raise RunError(str(self.error)) from self.error  # each call its own: one error gathers every call's trace
        if self._found is None:
            opening_s = clock.now() - self._since
            raise RunError(f"The service has been loading for {opening_s:.0f} s and is not ready; ask again.")
        return self._found

    async def hold(self, source: AbstractAsyncContextManager[T]) -> None:
        """Open it, and keep it open until cancelled; an error that is meant is kept for those who call."""
        try:
            async with source as self._found:
                self._settled.set()
                await anyio.sleep_forever()
        except Exception as error:
            found = sole(error) if isinstance(error, ExceptionGroup) else error
            if self._settled.is_set() or not isinstance(found, OrchestratorError | RouterError):
                raise
            log.error("mcp.failed", error=str(found))  # noqa: TRY400 - meant, and told to whoever calls
            self.error = found
        finally:
            self._found = None
            self._settled.set()


@asynccontextmanager
async def opening(source: Callable[[], AbstractAsyncContextManager[T]], *, limit_s: float) -> AsyncIterator[Opening[T]]:
    """Open something beside the block, and close it after it.

    Raises:
        OrchestratorError, RouterError: at the end of the block, where it could not be opened.

    """
    found: Opening[T] = Opening(limit_s=limit_s)
    async with anyio.create_task_group() as group:
        group.start_soon(found.hold, source())
        yield found
        group.cancel_scope.cancel()
    if found.error is not None:
        raise found.error
