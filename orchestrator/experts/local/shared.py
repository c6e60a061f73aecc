"""One model of the process: loaded once, however many experts use it, and working for one request at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import structlog
from anyio import to_thread

from orchestrator.experts.local.model import LoadedModel
from orchestrator.experts.protocol import Condition

__all__ = ["SharedModel"]

log = structlog.get_logger()

T = TypeVar("T")


class SharedModel:
    """Loads with `load` (blocking) when the first expert comes into service.

    It does not try again: what keeps a model from loading (weights, memory, a missing package) needs a person.
    """

    def __init__(self, name: str, load: Callable[[], LoadedModel]) -> None:
        self._name = name
        self._load = load
        self._loading = anyio.Lock()
        self._over = anyio.Event()
        self._model: LoadedModel | None = None
        self._condition = Condition(state="starting", reason="the model is not loaded yet")
        self._turn = anyio.Lock()
        self._thread = anyio.CapacityLimiter(1)

    @property
    def condition(self) -> Condition:
        """Starting until it is loaded; down with the reason when it cannot be."""
        return self._condition

    @property
    def busy(self) -> bool:
        """Whether a request has its turn."""
        return self._turn.locked()

    async def load(self) -> None:
        """Load it unless that has been done or tried; returns when it is over, good or bad."""
        async with self._loading:
            if self._over.is_set():
                return
            try:
                # Abandoned on cancel: a service that is told to end need not wait for a model that nobody will use.
                self._model = await to_thread.run_sync(self._load, abandon_on_cancel=True)
                self._condition = Condition(state="up")
            except Exception as error:  # noqa: BLE001 - supervised border: weights are others' and may hold anything
                reason = f"{self._name!r} does not load: {type(error).__name__}: {error}".splitlines()[0]
                self._condition = Condition(state="down", reason=reason)
                log.warning("local.not_loaded", model=self._name, reason=reason)
            self._over.set()

    async def loaded(self) -> LoadedModel | None:
        """The model once loading is over; None when it failed."""
        await self._over.wait()
        return self._model

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The block has the model to itself; who waits is served in the order of coming."""
        async with self._turn:
            yield

    async def work(self, step: Callable[[], T]) -> T:
        """Run one step in the model's thread; a caller that is cancelled leaves after the step."""
        return await to_thread.run_sync(step, limiter=self._thread)
