"""Experts that share memory, over faked servers that sleep: who is awake, who waits, and who is told what."""

from collections import Counter
from pathlib import Path
from random import Random

import anyio
import pytest

from orchestrator.conversation.turns import turn_of
from orchestrator.errors import ExpertBusy, ExpertLate, ExpertSuspended, ExpertUnavailable
from orchestrator.stages.draft import Drafting
from orchestrator.testing import FakeVLLM, Hold, Status
from orchestrator.trace import Trace
from tests.fleet.residency.sleeping import Asleep, asleep, nowhere

pytestmark = pytest.mark.anyio
NAMES = ("one", "two", "three", "four")


async def test_no_request_reaches_a_sleeping_expert_under_200_mixed_requests(tmp_path: Path) -> None:
    """The promise: four experts of which two fit, asked by 200 at once; each is answered in time."""
    answered: Counter[str] = Counter()
    with anyio.fail_after(60):
        async with asleep(tmp_path, move_s=0.005) as fleet:

            async def one(name: str) -> None:
                await fleet.ask(name, within_s=50)
                answered[name] += 1

            async with anyio.create_task_group() as group:
                for number in range(200):
                    group.start_soon(one, NAMES[Random(number).randrange(4)])  # noqa: S311 - repeats
            used = fleet.residency.seats.used("default")
            assert (sum(answered.values()), fleet.while_asleep) == (200, 0)
            assert sum(server.engine.aborted_by_sleep for each in fleet.servers.values() for server in each) == 0
            assert used <= fleet.residency.seats.capacity["default"]


async def test_at_the_start_those_that_do_not_fit_are_sent_to_sleep(tmp_path: Path) -> None:
    """Servers start awake; the first that fit stay so."""
    with anyio.fail_after(20):
        async with asleep(tmp_path) as fleet:
            for name in ("three", "four"):
                await until_asleep(fleet.servers[name][0])
            states = [fleet.residency.seats[name].state for name in ("one", "two")]
            assert states == ["awake", "awake"]


async def test_none_waits_beyond_its_deadline(tmp_path: Path) -> None:
    """A wake that takes too long is given up at the deadline by who waits; the wake goes on."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), wake_gb_per_s=1000.0) as fleet:
            await until_asleep(fleet.servers["three"][0])
            fleet.servers["three"][0].engine.wake_s = 30.0
            began = anyio.current_time()
            with pytest.raises(ExpertLate):
                await fleet.ask("three", within_s=0.3)
            assert anyio.current_time() - began < 5
            assert (fleet.while_asleep, len(fleet.residency._queues["default"])) == (0, 0)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_waiting_for_memory_is_no_failure_of_the_expert(tmp_path: Path, cancelled: bool) -> None:  # noqa: FBT001 - a parameter
    """However many wait in vain, its breaker stays closed."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three")) as fleet:
            await until_settled(fleet)
            fleet.servers["three"][0].engine.wake_s = 30.0

            async def in_vain() -> None:
                if cancelled:
                    with anyio.move_on_after(0.19):
                        await fleet.ask("three", within_s=0.2)
                else:
                    with pytest.raises(ExpertLate):
                        await fleet.ask("three", within_s=0.2)

            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(in_vain)
            breaker = fleet.registry.guard("three").breaker
            assert (breaker.is_open, breaker.in_a_row) == (False, 0)


async def test_wake_that_cannot_be_in_time_is_refused_at_once(tmp_path: Path) -> None:
    """By the configured rate, 10 GB at 1 GB/s; nobody is sent to sleep for it."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), wake_gb_per_s=1.0) as fleet:
            await until_settled(fleet)
            with pytest.raises(ExpertBusy, match=r"about 10\.0 s"):
                await fleet.ask("three", within_s=5)
            assert fleet.residency.seats["three"].state == "asleep"


async def test_wake_that_fails_is_told_at_once_and_rests(tmp_path: Path) -> None:
    """So that the next expert of the plan can answer; the memory is not lost to it."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three")) as fleet:
            await until_settled(fleet)
            fleet.servers["three"][0].fault_at["/wake_up"] = Status(code=500)
            with pytest.raises(ExpertUnavailable, match="wake failed"):
                await fleet.ask("three")
            with pytest.raises(ExpertSuspended):
                await fleet.ask("three")
            assert await fleet.ask("one")
            assert await fleet.ask("two")
            assert fleet.while_asleep == 0


async def test_next_expert_of_the_plan_answers_where_a_wake_fails(tmp_path: Path) -> None:
    """Long before the deadline; and a wait that was worth it is in the decision."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), move_s=0.02) as fleet:
            await until_settled(fleet)
            woken = Trace(model="auto", turn=turn_of([{"role": "user", "content": "hi"}]))
            await Drafting(fleet.registry).first(["three"], fleet.request(), nowhere, woken)
            assert fleet.residency.seats["three"].state == "awake"
            sleeper = next(name for name in ("one", "two") if fleet.residency.seats[name].state == "asleep")
            fleet.servers[sleeper][0].fault_at["/wake_up"] = Status(code=500)
            trace = Trace(model="auto", turn=turn_of([{"role": "user", "content": "hi"}]))
            draft = await Drafting(fleet.registry).first([sleeper, "three"], fleet.request(), nowhere, trace)
            assert draft.expert == "three"
            outcomes = [(attempt.expert, attempt.outcome) for attempt in trace.attempts]
            assert outcomes == [(sleeper, "failed"), (sleeper, "failed"), ("three", "answered")]
            assert (woken.attempts[0].woke_ms > 0, trace.attempts[-1].woke_ms) == (True, 0.0)
            assert fleet.while_asleep == 0


async def test_cancelled_waiter_frees_what_it_held(tmp_path: Path) -> None:
    """Neither a lease nor a place in the queue is left, and others go on."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), move_s=0.05) as fleet:
            await until_settled(fleet)
            for pause_s in (0.0, 0.01, 0.04, 0.06, 0.1, 0.12):
                with anyio.move_on_after(pause_s):
                    await fleet.ask("three")
                with anyio.move_on_after(pause_s):
                    await fleet.ask("one")
                with anyio.move_on_after(pause_s):
                    await fleet.ask("two")
            assert len(fleet.residency._queues["default"]) == 0
            assert [seat.leases for seat in fleet.residency.seats.values()] == [0, 0, 0]
            for name in ("one", "two", "three"):
                assert await fleet.ask(name)
            assert fleet.while_asleep == 0


async def test_answer_under_way_is_never_interrupted(tmp_path: Path) -> None:
    """Eviction waits for the leases to end."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three")) as fleet:
            await until_settled(fleet)
            hold = Hold(after=0)
            for name in ("one", "two"):
                fleet.servers[name][0].fault = hold
            async with anyio.create_task_group() as group:
                for name in ("one", "two"):
                    server = fleet.servers[name][0]
                    group.start_soon(fleet.ask, name)
                    await server.until(lambda server=server: server.received == 1)  # type: ignore[misc]
                with pytest.raises(ExpertLate):
                    await fleet.ask("three", within_s=0.2)
                assert [fleet.residency.seats[name].state for name in ("one", "two")] == ["awake", "awake"]
                hold.release.set()
            assert await fleet.ask("three")
            assert fleet.while_asleep == 0


async def test_adapter_holds_its_base_awake_and_its_bytes_count_once(tmp_path: Path) -> None:
    """Both of one server."""
    adapter = {"style": {"kind": "vllm", "base": "three", "adapter": "fake-model"}}
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), settings=adapter) as fleet:
            await until_settled(fleet)
            assert await fleet.ask("style")
            seen = fleet.residency.seen("style")
            assert seen is not None
            assert (seen.state, seen.gb, seen.used_gb, fleet.while_asleep) == ("awake", 10.0, 20.0, 0)


@pytest.mark.parametrize("level", [1, 2])
async def test_all_replicas_of_an_expert_move_together(tmp_path: Path, level: int) -> None:
    """And those that slept at level 2 have read their weights when they are asked."""
    settings = {name: {"sleep_level": level} for name in ("one", "two", "three")}
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), replicas=2, settings=settings) as fleet:
            await until_settled(fleet)
            for name in ("three", "one", "two", "three"):
                assert await fleet.ask(name)
            awake = [name for name, servers in fleet.servers.items() if not any(each.asleep for each in servers)]
            half = [name for name, servers in fleet.servers.items() if len({each.asleep for each in servers}) > 1]
            assert ("three" in awake, len(awake), half, fleet.while_asleep) == (True, 2, [], 0)
            assert not any(each.engine.lost_weights for each in fleet.servers["three"])


async def test_server_that_started_anew_is_noticed_and_put_right(tmp_path: Path) -> None:
    """It is awake again and there is no room for it."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three")) as fleet:
            await until_settled(fleet)
            server = fleet.servers["three"][0]
            await server.kill()
            await fleet.residency._look()
            with pytest.raises(ExpertUnavailable, match="none of its servers is there"):
                await fleet.ask("three")
            await server.listen()
            assert not server.asleep
            await fleet.residency._look()
            await until_asleep(server)
            assert await fleet.ask("three")
            assert fleet.while_asleep == 0


async def test_server_that_somebody_sent_to_sleep_is_woken_again(tmp_path: Path) -> None:
    """By the next request after the look that saw it."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two")) as fleet:
            await fleet.servers["one"][0].engine.sleep(2, "wait")
            await fleet.residency._look()
            assert await fleet.ask("one")
            assert (fleet.while_asleep, fleet.servers["one"][0].engine.lost_weights) == (0, False)


async def test_pinned_expert_never_sleeps(tmp_path: Path) -> None:
    """The others share what is left."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, NAMES, settings={"one": {"pin": True}}) as fleet:
            for name in (*NAMES, *NAMES):
                assert await fleet.ask(name)
            paths = fleet.residency.seats["one"].moves
            assert (fleet.residency.seats["one"].state, paths, fleet.while_asleep) == ("awake", 1, 0)


async def test_likely_next_expert_of_a_session_is_woken_early_into_free_memory(tmp_path: Path) -> None:
    """Asked for by `prefetch`; here two always follows one."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two"), prefetch=True) as fleet:
            for number in range(20):
                for name in ("one", "two"):
                    async with fleet.residency.awake(name, deadline=anyio.current_time() + 9, session=str(number)):
                        pass
            fleet.residency._switch.sleep(fleet.residency.seats["two"])
            await until_asleep(fleet.servers["two"][0])
            while fleet.residency.seats["two"].moving:  # noqa: ASYNC110 - told by no event
                await anyio.sleep(0.01)
            async with fleet.residency.awake("one", deadline=anyio.current_time() + 9, session="new"):
                assert fleet.residency.seats["two"].state == "waking"


async def test_flood_for_those_awake_does_not_starve_the_one_that_waits(tmp_path: Path) -> None:
    """At most `fairness` requests overtake it."""
    with anyio.fail_after(20):
        async with asleep(tmp_path, ("one", "two", "three"), fairness=4, move_s=0.01) as fleet:
            await until_settled(fleet)
            done = anyio.Event()

            async def flood(name: str) -> None:
                while not done.is_set():
                    await fleet.ask(name)

            async with anyio.create_task_group() as group:
                for name in ("one", "one", "two", "two"):
                    group.start_soon(flood, name)
                for _ in range(3):
                    assert await fleet.ask("three")
                done.set()
            assert fleet.while_asleep == 0


async def until_asleep(server: FakeVLLM) -> None:
    """A server tells nobody that it sleeps."""
    while not server.asleep:  # noqa: ASYNC110
        await anyio.sleep(0.005)


async def until_settled(fleet: Asleep) -> None:
    """Until nobody is being moved."""
    while any(seat.moving for seat in fleet.residency.seats.values()):  # noqa: ASYNC110
        await anyio.sleep(0.005)
