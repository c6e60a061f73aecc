"""The fault matrix (issue, 3): three servers, 64 streams at once over a real socket, each fault on one and on all.

Whatever happens, a stream has one end before its deadline: every token of one server and `[DONE]`, or an error that
names its reason. docs/fleet.md, "Faults", has the same as a table.
"""

import gc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from eval.soak.outcomes import Outcome
from orchestrator.experts.vllm.circuit import Rules
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.fleet import guard
from orchestrator.testing import FAULTS, FakeVLLM, Fault, Hold, Status
from tests.fleet.crowd import CLIENTS, TOKENS, Crowd, counted, crowded, numbered

pytestmark = pytest.mark.anyio

STAYS_OPEN = Rules(first_open_s=60, most_open_s=60)
SOON = Rules(first_open_s=0.02, most_open_s=0.02, jitter=0.0)
SILENCE_S = 0.4


@dataclass(frozen=True, kw_only=True)
class Meant:
    """What a fault becomes.

    reason: what its errors name; empty where there are none. amid: it strikes after the first token. opens: the
        server's breaker.
    status: where all servers have it, beside the 503 of an expert whose breaker has opened.
    """

    reason: str = ""
    amid: bool = False
    opens: bool = True
    status: int = 503


MEANT = {
    "429": Meant(reason="status 429", opens=False),
    "429-after": Meant(reason="status 429", opens=False),
    "500": Meant(reason="status 500", status=502),
    "503": Meant(reason="status 503"),
    "503-after": Meant(reason="status 503", opens=False),
    "html": Meant(reason="ended without [DONE]", status=502),
    "hang": Meant(reason="nothing came for too long", status=504),
    "drop": Meant(reason="closed the connection"),
    "reset": Meant(reason="reset by peer"),
    "reset-amid": Meant(reason="reset by peer", amid=True),
    "slow": Meant(reason="nothing came for too long", status=504),
    "stall": Meant(reason="nothing came for too long", amid=True),
    "cut": Meant(reason="closed the connection", amid=True),
    "cut-clean": Meant(reason="ended without [DONE]", amid=True),
    "garbage": Meant(reason="not a chat.completion.chunk", amid=True),
    "error-event": Meant(reason="the engine died", amid=True),
    "huge": Meant(reason="an event has more than", amid=True),
    "wrong-model": Meant(opens=False),
}
SILENT = {"hang", "slow", "stall"}
"""The faults that a time-out finds, which is short for them alone: this machine may be busy."""


@pytest.fixture
async def servers() -> AsyncIterator[list[FakeVLLM]]:
    """Three servers of one model."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(numbered(name)) for name in "abc"]


@pytest.fixture(autouse=True, scope="module")
def settled() -> Iterator[None]:
    """What was imported is not looked through for garbage again and again, as in the service once it is ready."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The health probes, which close breakers, are for the tests that ask for them."""
    monkeypatch.setattr(VllmExpert, "probe_interval_s", 60)


@pytest.fixture
def probes(no_probes: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - comes first
    """Health probes all the time."""
    monkeypatch.setattr(VllmExpert, "probe_interval_s", 0.02)


def fault_of(name: str) -> Fault:
    """The fault of that name; what asks clients to come back asks for less of the tests' time."""
    fault = FAULTS[name]
    return replace(fault, headers={"Retry-After": "0.2"}) if isinstance(fault, Status) and fault.headers else fault


def patience(name: str) -> dict[str, Any]:
    """The time-outs of the servers for a fault."""
    silence_s = SILENCE_S if name in SILENT else 5.0
    return {"first_token_timeout_s": silence_s, "read_timeout_s": silence_s}


def from_servers(outcomes: Sequence[Outcome], kind: str) -> set[str]:
    """Whose tokens the outcomes of that kind have."""
    return {outcome.origin.server for outcome in outcomes if outcome.origin and outcome.kind == kind}


def check_reasons(outcomes: Sequence[Outcome], *reasons: str) -> None:
    """Every error names one of these."""
    told = {outcome.reason for outcome in outcomes if outcome.kind != "whole"}
    assert [each for each in told if not any(reason in each for reason in reasons)] == []


async def until_whole(crowd: Crowd, server: str | None = None) -> None:
    """Ask, one stream after the other, until one is whole (and of that server)."""
    with anyio.fail_after(10):
        while True:
            outcome = await crowd.ask()
            if counted([outcome])["whole"] and server in {None, outcome.origin and outcome.origin.server}:
                return


def test_every_fault_that_can_be_named_is_in_the_matrix() -> None:
    """A new one has to say what becomes of it."""
    assert set(MEANT) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_one_server_and_then_of_all(
    name: str, servers: list[FakeVLLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one: it costs no stream that had not begun there. Of all: everybody is told. Then it is over, by itself."""
    monkeypatch.setattr(guard, "OPEN_S", 0.05)
    meant, fault = MEANT[name], fault_of(name)
    async with crowded(servers, rules=STAYS_OPEN, **patience(name)) as crowd:
        servers[0].fault = fault
        check_one(await crowd.all_ask(), meant)
        first = (await crowd.replicas())[0]
        assert (first["breaker"], first["openings"]) == (("open", 1) if meant.opens else ("closed", 0))
        assert (await crowd.expert())["state"] == "up"
        assert counted(await crowd.all_ask()) == {"whole": CLIENTS}
        for server in servers:
            server.fault = fault
        check_all(await crowd.all_ask(), meant)
        for server in servers:
            server.fault = None
        await until_whole(crowd)


def check_one(outcomes: Sequence[Outcome], meant: Meant) -> None:
    """What clients see where the first server has the fault: before the first token nothing, after it an error."""
    kinds = counted(outcomes)
    assert kinds == {"whole": CLIENTS} if not meant.amid else kinds.keys() == {"whole", "broken"}
    assert from_servers(outcomes, "broken") <= {"a"}
    assert all(outcome.origin is None or outcome.origin.got < TOKENS for outcome in outcomes if outcome.reason)
    check_reasons(outcomes, meant.reason)


def check_all(outcomes: Sequence[Outcome], meant: Meant) -> None:
    """What clients see where all servers have it."""
    kinds = counted(outcomes)
    if not meant.reason:
        assert kinds == {"whole": CLIENTS}
        return
    assert kinds.keys() <= ({"broken", "refused"} if meant.amid else {"refused"})
    assert meant.amid == ("broken" in kinds)
    assert {outcome.status for outcome in outcomes if outcome.kind == "refused"} <= {meant.status, 503}
    check_reasons(outcomes, meant.reason, "asked to be left alone")


@pytest.mark.parametrize("after", [0, 3])
async def test_streams_of_a_server_that_is_killed_move_or_are_told_and_it_is_used_again(
    after: int, servers: list[FakeVLLM]
) -> None:
    """Before its first token each goes to another server, after it none does; the others' streams notice nothing."""
    holds = [Hold(after=after) for _ in servers]
    for server, hold in zip(servers, holds, strict=True):
        server.fault = hold
    async with crowded(servers, rules=SOON) as crowd:
        outcomes: list[Outcome] = []
        async with anyio.create_task_group() as group:
            group.start_soon(crowd.all_ask, outcomes)
            with anyio.fail_after(5):
                for server in servers:
                    await server.until(lambda: sum(each.running for each in servers) == CLIENTS)
                    await server.until(lambda each=server: len(each.sent) == after * each.running)  # type: ignore[misc]
            await servers[0].kill()
            for hold in holds[1:]:
                hold.release.set()
        kinds = counted(outcomes)
        assert kinds == {"whole": CLIENTS} if after == 0 else kinds.keys() == {"whole", "broken"}
        assert from_servers(outcomes, "whole") == {"b", "c"}
        assert from_servers(outcomes, "broken") <= {"a"}
        servers[0].fault = None
        await servers[0].listen()
        await until_whole(crowd, "a")
        assert counted(await crowd.all_ask()) == {"whole": CLIENTS}


@pytest.mark.usefixtures("probes")
async def test_a_server_that_is_killed_and_restarted_again_and_again_costs_its_own_streams_alone(
    servers: list[FakeVLLM],
) -> None:
    """Clients that ask all the time are never refused while two servers are well."""
    first, others = servers[0], servers[1:]
    async with crowded(servers, rules=SOON) as crowd:
        outcomes: list[Outcome] = []
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(crowd.all_ask, outcomes)
                with anyio.fail_after(10):
                    received = first.received
                    await first.until(lambda: first.received > received + 5)  # noqa: B023 - awaited here
                    await first.kill()
                    received = others[0].received
                    group.start_soon(crowd.all_ask, outcomes)
                    await others[0].until(lambda: others[0].received > received + 5)  # noqa: B023 - awaited here
                    await first.listen()
                    await until_whole(crowd, "a")
        kinds = counted(outcomes)
    assert kinds.total() == 6 * CLIENTS
    assert kinds.keys() <= {"whole", "broken"}
    assert from_servers(outcomes, "broken") <= {"a"}


@pytest.mark.usefixtures("probes")
async def test_when_all_servers_are_dead_clients_learn_it_long_before_the_deadline(servers: list[FakeVLLM]) -> None:
    """503 with the reason, breakers open, the expert down; all of it is over when the servers come back."""
    async with crowded(servers) as crowd:
        assert counted(await crowd.all_ask()) == {"whole": CLIENTS}
        for server in servers:
            await server.kill()
        outcomes = await crowd.all_ask()
        assert (counted(outcomes), {outcome.status for outcome in outcomes}) == ({"refused": CLIENTS}, {503})
        check_reasons(outcomes, "Connect call failed", "reset by peer", "closed the connection")
        shown = await crowd.expert()
        assert (shown["state"], {each["breaker"] for each in shown["replicas"]} <= {"open", "half-open"}) == (
            "down",
            True,
        )
        for server in servers:
            await server.listen()
        with anyio.fail_after(10):
            while (await crowd.expert())["state"] != "up":
                await anyio.lowlevel.checkpoint()
        await until_whole(crowd)  # the trial, which closes the expert's breaker
        assert counted(await crowd.all_ask()) == {"whole": CLIENTS}
        assert {each["breaker"] for each in await crowd.replicas()} == {"closed"}


@pytest.mark.parametrize("name", ["500", "429-after", "hang", "drop"])
async def test_another_expert_answers_for_one_whose_servers_are_all_out(name: str, servers: list[FakeVLLM]) -> None:
    """The next one of the plan, for every stream."""
    for server in servers:
        server.fault = fault_of(name)
    async with numbered("spare") as spare, crowded(servers, spare=spare, **patience(name)) as crowd:
        outcomes = await crowd.all_ask()
        assert (counted(outcomes), from_servers(outcomes, "whole")) == ({"whole": CLIENTS}, {"spare"})


async def test_another_expert_does_not_go_on_with_a_stream_that_broke_off(servers: list[FakeVLLM]) -> None:
    """What was shown cannot be taken back; streams that had not begun are answered by the other one."""
    for server in servers:
        server.fault = fault_of("cut")
    async with numbered("spare") as spare, crowded(servers, spare=spare) as crowd:
        outcomes = [*await crowd.all_ask(), *await crowd.all_ask()]
        kinds = counted(outcomes)
        assert kinds["refused"] == 0
        assert kinds["broken"] > 0
        assert from_servers(outcomes, "broken") == {"a", "b", "c"}
        assert from_servers(outcomes, "whole") == {"spare"}


@pytest.mark.parametrize(("name", "kind"), [("hang", "refused"), ("stall", "broken")])
async def test_the_deadline_ends_what_no_time_out_ends(name: str, kind: str, servers: list[FakeVLLM]) -> None:
    """A server that says nothing is given up with the request, and told so: its connections are closed."""
    for server in servers:
        server.fault = fault_of(name)
    async with crowded(servers, deadline_s=0.6) as crowd:
        outcomes = await crowd.all_ask()
        assert counted(outcomes) == {kind: CLIENTS}
        assert {outcome.status for outcome in outcomes} == {504 if kind == "refused" else 200}
        check_reasons(outcomes, "within 0.6 s", "before the deadline")
        with anyio.fail_after(5):
            for server in servers:
                await server.until(lambda: all(each.running == 0 for each in servers))
