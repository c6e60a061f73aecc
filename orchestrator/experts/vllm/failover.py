"""One request's way over the servers of an expert: each at most once, until one answers. Knows no HTTP.

Another server is asked only while nothing has been emitted: what was shown cannot be taken back. Nothing waits here,
and nobody is asked twice; whether the expert as a whole is asked again is decided above (`orchestrator.stages.draft`).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from orchestrator import clock
from orchestrator.errors import (
    ExpertCut,
    ExpertError,
    ExpertFailed,
    ExpertLate,
    ExpertMisconfigured,
    ExpertOverloaded,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.vllm.hedge import Hedging
from orchestrator.experts.vllm.race import Contest, Race
from orchestrator.experts.vllm.replica import Replica, Visit
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.types import AtOnce, Chunk, Emit, at_once

__all__ = ["MOST_TRIES", "Ask", "Failover"]

T = TypeVar("T")
MOST_TRIES = 3
"""Most servers that one request is sent to, a hedge included."""
_ANOTHER_MAY_DO = (
    ExpertUnavailable,
    ExpertOverloaded,
    ExpertFailed,
    ExpertCut,
    ExpertTimeout,
    ExpertMisconfigured,
)

Ask = Callable[[Replica, Emit], Awaitable[T]]
"""Asks one server; raises `ExpertError`."""


class Failover(Generic[T]):
    """For one request, whose answer is a draft or whatever `ask` makes of it.

    key: requests of the same key prefer the same server. hedging: for streams, where it is asked for.
    silence_s: a stream that was silent for so long when it was cancelled is its server's failure.
    """

    __slots__ = ("_ask", "_begun", "_errors", "_expert", "_hedging", "_key", "_replicas", "_silence_s", "_tried")

    def __init__(
        self,
        expert: str,
        replicas: Replicas,
        ask: Ask[T],
        *,
        key: bytes | None = None,
        hedging: Hedging | None = None,
        silence_s: float = math.inf,
    ) -> None:
        self._expert = expert
        self._replicas = replicas
        self._ask = ask
        self._key = key
        self._hedging = hedging
        self._silence_s = silence_s
        self._begun = False
        self._tried: list[Replica] = []
        self._errors: list[ExpertError] = []

    async def draft(self, emit: Emit) -> T:
        """The draft (or other answer) of the first server that gives one.

        Raises:
            ExpertError: none did, or one failed after its first chunk, or refused the request itself.
        """
        if self._hedging is not None:
            self._hedging.asked()
        while (replica := self._next()) is not None:
            try:
                return await self._from(replica, emit)
            except ExpertError as error:
                if self._begun or not isinstance(error, _ANOTHER_MAY_DO) or isinstance(error, ExpertLate):
                    error.others_well = self._others_well and not isinstance(error, ExpertLate)
                    raise
        summed_up = self._summed_up()
        summed_up.others_well = self._others_well
        raise summed_up

    @property
    def _others_well(self) -> bool:
        """Whether the next request may find a server that has not failed this one."""
        now = clock.now()
        return any(replica.well(now) for replica in self._replicas.all if replica not in self._tried)

    def _next(self) -> Replica | None:
        if len(self._tried) >= MOST_TRIES:
            return None
        return self._note(self._replicas.pick(clock.now(), tried=self._tried, key=self._key))

    def _note(self, replica: Replica | None) -> Replica | None:
        if replica is not None:
            self._tried.append(replica)
        return replica

    async def _from(self, replica: Replica, emit: Emit) -> T:
        """The draft of that server, or of a second one where the first is slow."""
        after_s = None if self._hedging is None else self._hedging.after_s
        if after_s is None or len(self._tried) >= MOST_TRIES:
            return await self._visit(replica, emit)
        race: Race[T] = Race(emit)
        draft = await race.run(partial(self._visit, replica), self._second, after_s=after_s)
        if self._hedging is not None and race.second_won:
            self._hedging.won()
        return draft

    def _second(self) -> Contest[T] | None:
        """Another server for a request that is late; none unless one is well and the share allows it."""
        if not self._others_well:
            return None
        if self._hedging is None or not self._hedging.take():
            return None
        spare = self._note(self._replicas.pick_well(clock.now(), tried=self._tried, key=self._key))
        return None if spare is None else partial(self._visit, spare)

    async def _visit(self, replica: Replica, emit: Emit) -> T:
        """Ask one server, which learns from what comes of it."""
        with replica.visit(silence_s=self._silence_s) as visit:
            try:
                return await self._ask(replica, _First(emit, lambda: self._first_token(visit)))
            except ExpertError as error:
                self._errors.append(error)
                raise
            finally:
                self._learn_from_the_late(visit)

    def _first_token(self, visit: Visit) -> None:
        self._begun = True
        visit.begun()
        if self._hedging is not None:
            self._hedging.observed(visit.waited_s)

    def _learn_from_the_late(self, visit: Visit) -> None:
        """Who was cancelled since the other came first would have taken longer still: to leave it out would flatter."""
        if self._hedging is None or visit.has_begun or self._hedging.after_s is None:
            return
        if visit.waited_s >= self._hedging.after_s:
            self._hedging.observed(visit.waited_s)

    def _summed_up(self) -> ExpertError:
        """What to tell of several failures: of the last one's kind, and when to come back where any server said so."""
        if not self._errors:
            rest_s = self._replicas.rest_s(clock.now())
            return ExpertOverloaded(self._expert, "all its servers asked to be left alone", retry_after_s=rest_s)
        if len(self._errors) == 1:
            return self._errors[0]
        overloaded = [error for error in self._errors if isinstance(error, ExpertOverloaded)]
        kind = type((overloaded or self._errors)[-1])
        waits = [error.retry_after_s for error in self._errors if error.retry_after_s is not None]
        return kind(self._expert, "; ".join(map(str, self._errors)), retry_after_s=min(waits, default=None))


class _First:
    """An `emit` that notes the first chunk, at next to no cost for the others."""

    __slots__ = ("_begun", "_emit", "_on_first")

    def __init__(self, emit: Emit, on_first: Callable[[], None]) -> None:
        self._emit = emit
        self._on_first = on_first
        self._begun = False

    @property
    def now(self) -> AtOnce | None:
        """See `at_once`."""
        return at_once(self._emit) if self._begun else None

    def __call__(self, chunk: Chunk) -> Awaitable[None]:
        if not self._begun:
            self._begun = True
            self._on_first()
        return self._emit(chunk)
