"""Blocking calls off the event loop: one owner task gathers what is waiting and runs it in one thread.

Knows neither models nor experts. The shape follows from two facts: a transformer is cheaper per text in a
batch, and a thread cannot be cancelled, so a waiter must be able to leave while the batch goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

if TYPE_CHECKING:
    from routers.embedding import FloatArray

__all__ = ["Batcher", "TextEmbedder"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class TextEmbedder(Protocol):
    """Embeds texts without blocking the event loop."""

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised."""
        ...


@dataclass(slots=True, eq=False)
class _Job(Generic[Item, Result]):
    item: Item
    done: anyio.Event = field(default_factory=anyio.Event)
    result: Result | None = None
    error: Exception | None = None


class Batcher(Generic[Item, Result]):
    """Runs `run(items)` in a worker thread on whatever has gathered, at most `max_batch` items a call.

    It waits for nobody: a batch is what queued while the last one ran. Callers beyond `max_queued` wait to get in,
    and all of them wait while `serve` does not run.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Sequence[Result]],
        *,
        max_batch: int = 32,
        max_queued: int = 10_000,
    ) -> None:
        self._run = run
        self._max_batch = max_batch
        self._room = anyio.Semaphore(max_queued)
        self._queue: deque[_Job[Item, Result]] = deque()
        self._work = anyio.Event()
        self._one = anyio.CapacityLimiter(1)

    async def submit(self, item: Item) -> Result:
        """The result for this item; raises what `run` raised for its batch. A caller that leaves is forgotten."""
        async with self._room:
            job: _Job[Item, Result] = _Job(item)
            self._queue.append(job)
            self._work.set()
            try:
                await job.done.wait()
            except anyio.get_cancelled_exc_class():
                if job in self._queue:
                    self._queue.remove(job)
                raise
        if job.error is not None:
            raise job.error
        return cast("Result", job.result)

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled."""
        task_status.started()
        while True:
            await self._work.wait()
            batch = [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]
            if not self._queue:
                self._work = anyio.Event()
            if batch:
                await self._settle(batch)

    async def _settle(self, batch: list[_Job[Item, Result]]) -> None:
        try:
            results = await to_thread.run_sync(self._run, [job.item for job in batch], limiter=self._one)
            for job, result in zip(batch, results, strict=True):
                job.result = result
        except Exception as error:  # noqa: BLE001 - supervised border: fails the batch, not the worker
            for job in batch:
                job.error = error
        for job in batch:
            job.done.set()
