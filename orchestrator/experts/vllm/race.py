"""Two servers at work on one stream: the first to give a token goes on, the other is cancelled. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import anyio

from orchestrator.errors import ExpertError, sole
from orchestrator.types import Chunk, Emit

__all__ = ["Contest", "Race"]

T = TypeVar("T")
Contest = Callable[[Emit], Awaitable[T]]
"""Asks one server, and emits what it says."""


class _Contender:
    """One of those who race; what it is given as its `emit`."""

    __slots__ = ("_race", "scope")

    def __init__(self, race: Race[Any]) -> None:
        self._race = race
        self.scope = anyio.CancelScope()

    def __call__(self, chunk: Chunk) -> Awaitable[None]:
        if self._race.wins(self):
            return self._race.emit(chunk)
        return anyio.sleep_forever()  # it has been cancelled and does not know it yet


class Race(Generic[T]):
    """`run` a first contest, and a second one if the first is slow. Chunks of one of them alone are emitted."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.winner: _Contender | None = None
        self.draft: T | None = None
        self._failures: list[ExpertError] = []
        self._contenders: list[_Contender] = []
        self._news = anyio.Event()

    @property
    def second_won(self) -> bool:
        """Whether the second of two was the first to give a token."""
        return self.winner is not None and self.winner is not self._contenders[0]

    async def run(self, first: Contest[T], second: Callable[[], Contest[T] | None], *, after_s: float) -> T:
        """The winner's draft.

        second: called when the first has given no token `after_s` later; None from it: nobody else is asked.

        Raises:
            ExpertError: the winner failed after its first token, or all did before; the latest failure then.
        """
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._compete, first)
                with anyio.move_on_after(after_s):
                    await self._news.wait()
                if not self._news.is_set() and (other := second()) is not None:
                    group.start_soon(self._compete, other)
        except BaseExceptionGroup as errors:
            raise sole(errors) from errors
        if self.draft is not None:
            return self.draft
        raise self._failures[-1]  # the winner's, if there is one: the other had been cancelled before

    def wins(self, contender: _Contender) -> bool:
        """Whether this one is the winner, which it becomes where there is none yet."""
        if self.winner is None:
            self.winner = contender
            self._news.set()
            for other in self._contenders:
                if other is not contender:
                    other.scope.cancel()
        return self.winner is contender

    async def _compete(self, contest: Contest[T]) -> None:
        contender = _Contender(self)
        self._contenders.append(contender)
        with contender.scope:
            try:
                draft = await contest(contender)
            except ExpertError as error:
                self._failures.append(error)
                self._news.set()
            else:
                if self.wins(contender):  # an answer without a single chunk too
                    self.draft = draft
