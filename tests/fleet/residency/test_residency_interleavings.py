"""Random interleavings of requests, cancellations, failures and moves: the accounting holds in all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.settings import Residency as Rules
from orchestrator.errors import ExpertError, ExpertUnavailable
from orchestrator.fleet.residency.control import Seen
from orchestrator.fleet.residency.policies import POLICIES, Knowledge
from orchestrator.fleet.residency.residency import Residency
from orchestrator.fleet.residency.seats import Seat, Seats

SIZES = {"a": 4, "b": 4, "c": 6, "d": 10, "e": 1}
CAPACITY = 10


@dataclass
class Memory:
    """One server in memory: it counts the bytes it has, from the start of a wake to the end of falling asleep."""

    expert: str
    taken: dict[str, int]
    steps: int
    failures: list[bool]
    peaks: list[int]
    awake: bool = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield

    async def look(self) -> Seen:
        return "awake" if self.awake else "asleep"

    async def sleep(self, _: int) -> None:
        self.awake = False
        await self._steps()
        del self.taken[self.expert]

    async def wake(self, _: int) -> None:
        self.taken[self.expert] = SIZES[self.expert]
        self.peaks.append(sum(self.taken.values()))  # an assertion here would be taken for a wake that failed
        await self._steps()
        if self.failures and self.failures.pop():
            del self.taken[self.expert]
            raise ExpertUnavailable(self.expert, "told to fail")
        self.awake = True

    async def _steps(self) -> None:
        for _ in range(self.steps):
            await anyio.lowlevel.checkpoint()


CALL = st.tuples(st.sampled_from(sorted(SIZES)), st.integers(0, 12), st.integers(0, 8), st.none() | st.integers(0, 20))


@settings(deadline=None, max_examples=150)
@given(
    calls=st.lists(CALL, max_size=30),
    moves=st.fixed_dictionaries({expert: st.integers(0, 5) for expert in SIZES}),
    failures=st.fixed_dictionaries({expert: st.lists(st.booleans(), max_size=2) for expert in SIZES}),
    fairness=st.integers(0, 4),
    policy=st.sampled_from(["dependency", "lru", "lfu", "usage"]),
)
def test_memory_is_never_exceeded_and_nobody_is_asked_asleep(
    calls: list[Any], moves: dict[str, int], failures: dict[str, list[bool]], fairness: int, policy: str
) -> None:
    """Every call is answered awake, refused or cancelled; at the end nothing is held and nobody waits."""

    async def run() -> None:
        taken: dict[str, int] = {}
        peaks: list[int] = []
        servers = {each: Memory(each, taken, moves[each], list(failures[each]), peaks) for each in SIZES}
        seats = Seats([Seat(expert, size) for expert, size in SIZES.items()], capacity={"default": CAPACITY})
        rules = Rules(fairness=fairness, wake_gb_per_s=1e9)
        residency = Residency(
            seats, servers, rules=rules, policy=POLICIES[policy](Knowledge(list(SIZES))), look_every_s=1000
        )

        async def call(expert: str, before: int, during: int, patience: int | None) -> None:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    if patience is not None:
                        group.start_soon(give_up, scope, patience)
                    for _ in range(before):
                        await anyio.lowlevel.checkpoint()
                    try:
                        async with residency.awake(expert, deadline=anyio.current_time() + 30, session=expert):
                            for _ in range(during):
                                assert servers[expert].awake
                                await anyio.lowlevel.checkpoint()
                    except ExpertError:
                        pass
                    group.cancel_scope.cancel()

        with anyio.fail_after(20):
            async with anyio.create_task_group() as service:
                await service.start(residency.serve)
                async with anyio.create_task_group() as group:
                    for each in calls:
                        group.start_soon(call, *each)
                assert [seat.leases for seat in seats.values()] == [0] * len(SIZES)
                assert len(residency._queues["default"]) == 0
                assert max(peaks, default=0) <= CAPACITY
                service.cancel_scope.cancel()

    anyio.run(run)


async def give_up(scope: anyio.CancelScope, steps: int) -> None:
    """Cancel after so many turns of the loop."""
    for _ in range(steps):
        await anyio.lowlevel.checkpoint()
    scope.cancel()
