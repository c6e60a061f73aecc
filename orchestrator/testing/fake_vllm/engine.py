"""Which requests run and which wait: as many at once as the server takes, none while it sleeps. Knows no HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import anyio

__all__ = ["Engine", "Job", "PauseMode", "SleepLevel"]

PauseMode = Literal["abort", "wait", "keep"]
SleepLevel = Literal[0, 1, 2]


@dataclass(eq=False, slots=True)
class Job:
    """One request in the engine.

    adapter: the LoRA adapter it needs. scope: cancelled when sleep aborts it. came_at: on anyio's clock.
    """

    adapter: str | None
    came_at: float = field(default_factory=anyio.current_time)
    admitted: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Engine:
    """Admits requests in order, and sleeps and wakes as vLLM does.

    sleep_s, wake_s: seconds that falling asleep and waking take. reload_s: seconds of reading the weights again.
    lost_weights: it slept at level 2, and the weights were not loaded since.
    changed: called after every change.
    """

    def __init__(self, *, max_num_seqs: int, max_loras: int, changed: Callable[[], None]) -> None:
        self.max_num_seqs = max_num_seqs
        self.max_loras = max_loras
        self.sleep_s = 0.0
        self.wake_s = 0.0
        self.reload_s = 0.0
        self.running: list[Job] = []
        self.waiting: list[Job] = []
        self.level: SleepLevel | None = None
        self.lost_weights = False
        self.aborted_by_sleep = 0
        self._sleeping_tags: set[str] = set()
        self._left = anyio.Event()
        self._resumed = anyio.Event()
        self._resumed.set()
        self._moving = anyio.Lock()
        self._changed = changed

    @property
    def asleep(self) -> bool:
        """From the moment it begins to fall asleep until it is wide awake."""
        return self.level is not None

    @asynccontextmanager
    async def job(self, adapter: str | None = None) -> AsyncIterator[Job]:
        """A request's time in the engine; the block is entered when the request begins to run."""
        job = Job(adapter)
        self.waiting.append(job)
        self._admit()
        try:
            await job.admitted.wait()
            yield job
        finally:
            # A job that sleep aborted has been taken out already.
            for jobs in (self.running, self.waiting):
                if job in jobs:
                    jobs.remove(job)
            self._left.set()
            self._left = anyio.Event()
            self._admit()

    def _admit(self) -> None:
        for job in [] if self.asleep else list(self.waiting):
            if len(self.running) >= self.max_num_seqs:
                break
            # A request whose adapter has no room in the batch is passed over, not waited for.
            if self._fits(job.adapter):
                self.waiting.remove(job)
                self.running.append(job)
                job.admitted.set()
        self._changed()

    def _fits(self, adapter: str | None) -> bool:
        if adapter is None:
            return True
        return len({job.adapter for job in self.running if job.adapter} | {adapter}) <= self.max_loras

    async def step(self, seconds: float = 0.0) -> None:
        """What a running request does between two tokens: takes its time, and stands still while it is frozen."""
        if seconds:
            await anyio.sleep(seconds)
        await self._resumed.wait()

    async def sleep(self, level: SleepLevel, mode: PauseMode) -> None:
        """Deal with what runs, then sleep. Level 0 only pauses; 1 keeps the weights in host memory; 2 drops them."""
        async with self._moving:
            self.level = level if self.level is None else max(self.level, level)
            self._changed()
            await self._clear(mode)
            await anyio.sleep(self.sleep_s if level else 0)
            if level:
                self._sleeping_tags = {"weights", "kv_cache"}
            self.lost_weights = self.lost_weights or level == 2  # noqa: PLR2004 - the level that drops them

    async def _clear(self, mode: PauseMode) -> None:
        if mode == "keep":
            self._resumed = anyio.Event()
            return
        if mode == "abort":
            for job in [*self.running, *self.waiting]:
                self.aborted_by_sleep += 1
                job.scope.cancel()
                job.admitted.set()
            self.running.clear()
            self.waiting.clear()
        while self.running:
            await self._left.wait()

    async def wake(self, tags: frozenset[str] = frozenset()) -> bool:
        """Wake these parts (`weights`, `kv_cache`; none named: all); whether it is awake altogether."""
        async with self._moving:
            if not self.asleep:
                return True
            if tags <= self._sleeping_tags:
                await anyio.sleep(self.wake_s if self._sleeping_tags else 0)
                self._sleeping_tags = self._sleeping_tags - tags if tags else set()
            if not self._sleeping_tags:
                self.level = None
                self._resumed.set()
                self._admit()
            self._changed()
            return not self.asleep

    def reborn(self) -> None:
        """Be as a new process is: awake, with its weights."""
        self.level, self.lost_weights, self._sleeping_tags = None, False, set()
        self._resumed.set()
        self._admit()

    async def reload_weights(self) -> None:
        """Read the weights again, which sleep of level 2 has dropped."""
        async with self._moving:
            await anyio.sleep(self.reload_s)
            self.lost_weights = False
