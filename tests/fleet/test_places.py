"""Places: never more calls than there are, nobody forgotten, first come first served, whoever leaves when."""

import math

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ExpertBusy
from orchestrator.fleet.places import Places

pytestmark = pytest.mark.anyio

FOR_EVER = math.inf


class Caller:
    """One call: waits for a place, then keeps it until it is let go."""

    def __init__(self, places: Places, number: int, served: list[int]) -> None:
        self._places = places
        self.number = number
        self._served = served
        self.scope = anyio.CancelScope()
        self.let_go = anyio.Event()
        self.state = "waiting"

    async def run(self) -> None:
        with self.scope:
            try:
                await self._places.take(FOR_EVER)
            except ExpertBusy:
                self.state = "refused"
                return
            self.state = "served"
            self._served.append(self.number)
            try:
                await self.let_go.wait()
            finally:
                self._places.free(held_s=1.0)
                self.state = "done"
        if self.scope.cancelled_caught and self.state == "waiting":
            self.state = "left"


class Crowd:
    """Calls that come, end and leave."""

    def __init__(self, most: int, queue: int) -> None:
        self.places = Places("e", most=most, queue=queue)
        self.callers: list[Caller] = []
        self.served: list[int] = []
        self._most = most
        self._queue = queue

    def those(self, *states: str) -> list[Caller]:
        return [caller for caller in self.callers if caller.state in states]

    def do(self, step: str, number: int, group: TaskGroup) -> None:
        living = self.those("served") if step == "end" else self.those("served", "waiting")
        if step == "come":
            self.callers.append(Caller(self.places, len(self.callers), self.served))
            group.start_soon(self.callers[-1].run)
        elif living and step == "end":
            living[number % len(living)].let_go.set()
        elif living:
            living[number % len(living)].scope.cancel()

    async def settle(self) -> None:
        """Let all run, and look."""
        for _ in range(6):
            await anyio.lowlevel.checkpoint()
        served, waiting = self.those("served"), self.those("waiting")
        assert len(served) <= self._most
        assert self.places.waiting == len(waiting) <= self._queue
        assert not waiting or len(served) == self._most
        assert not waiting or waiting[0].number > max(self.served)


STEPS = st.lists(st.tuples(st.sampled_from(["come", "end", "leave"]), st.integers(0, 30), st.booleans()), max_size=60)


@settings(deadline=None)
@given(steps=STEPS, most=st.integers(1, 4), queue=st.integers(0, 6))
def test_places_are_neither_overfilled_nor_lost(steps: list[tuple[str, int, bool]], most: int, queue: int) -> None:
    """Calls come, end and are cancelled in any order, several of these before anybody has run."""

    async def check() -> None:
        crowd = Crowd(most, queue)
        async with anyio.create_task_group() as group:
            for step, number, at_once in steps:
                crowd.do(step, number, group)
                if not at_once or step == "come":  # so that callers come in the order of their numbers
                    await crowd.settle()
            await crowd.settle()
            for caller in crowd.callers:
                caller.let_go.set()
        assert not crowd.those("waiting", "served")
        for _ in range(most):  # all places are there again
            await crowd.places.take(FOR_EVER)

    anyio.run(check)


async def test_a_call_beyond_the_queue_is_refused_and_told_when_to_come() -> None:
    """Retry-After: those who wait, and itself, at the rate of the calls that have ended."""
    places = Places("e", most=2, queue=1)
    for _ in range(2):
        await places.take(FOR_EVER)
        places.free(held_s=6.0)
    for _ in range(2):
        await places.take(FOR_EVER)
    async with anyio.create_task_group() as group:
        group.start_soon(places.take, FOR_EVER)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ExpertBusy) as raised:
            await places.take(FOR_EVER)
        group.cancel_scope.cancel()
    assert raised.value.retry_after_s == pytest.approx(2 * 6.0 / 2)
    assert not raised.value.retryable


async def test_before_any_call_has_ended_the_advice_is_a_second() -> None:
    """There is nothing to go by."""
    places = Places("e", most=1, queue=0)
    await places.take(FOR_EVER)
    with pytest.raises(ExpertBusy) as raised:
        await places.take(FOR_EVER)
    assert raised.value.retry_after_s == 1.0


async def test_who_would_wait_beyond_its_deadline_does_not_begin_to() -> None:
    """At the rate so far a place is free in 10 s, and there are 3."""
    places = Places("e", most=1, queue=5)
    await places.take(FOR_EVER)
    places.free(held_s=10.0)
    await places.take(FOR_EVER)
    with anyio.fail_after(1), pytest.raises(ExpertBusy):
        await places.take(anyio.current_time() + 3)


@pytest.mark.parametrize(("left_s", "max_wait_s"), [(0.05, None), (60.0, 0.05)])
async def test_who_waited_too_long_leaves_the_queue(left_s: float, max_wait_s: float | None) -> None:
    """Its deadline, or what the configuration allows; the place goes to the one behind it."""
    places = Places("e", most=1, queue=5, max_wait_s=max_wait_s)
    await places.take(FOR_EVER)
    with anyio.fail_after(5), pytest.raises(ExpertBusy):
        await places.take(anyio.current_time() + left_s)
    assert places.waiting == 0
    places.free()
    assert await places.take(FOR_EVER) == 0


async def test_the_wait_is_measured() -> None:
    """From coming to having a place, and nothing for who need not wait."""
    places = Places("e", most=1, queue=5)
    assert await places.take(FOR_EVER) == 0
    waits: list[float] = []

    async def second() -> None:
        waits.append(await places.take(FOR_EVER))

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await anyio.sleep(0.02)
        places.free(held_s=0.02)
    assert 0.01 < waits[0] < 5
