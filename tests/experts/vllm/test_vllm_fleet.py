"""An expert on three servers, some of which die, hang, flap or are busy: over real connections."""
# ruff: noqa: S311 - seeded, so that a run repeats

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from orchestrator.errors import ExpertError, ExpertOverloaded, ExpertUnavailable
from orchestrator.experts.vllm.circuit import Rules
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.experts.vllm.hedge import Hedging
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.testing import (
    Answer,
    Cut,
    Drop,
    FakeVLLM,
    Fault,
    Garbage,
    Hang,
    Hold,
    Status,
    StreamError,
    in_service,
)
from orchestrator.types import ChatRequest, Chunk

pytestmark = pytest.mark.anyio

Hire = Callable[..., VllmExpert]

ANSWER = Answer(pieces=tuple(f" {number}" for number in range(20)))
SOON = Rules(first_open_s=0.01, most_open_s=0.01, jitter=0.0)


@pytest.fixture
async def servers() -> AsyncIterator[list[FakeVLLM]]:
    """Three servers of one model."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(FakeVLLM(answer=ANSWER)) for _ in range(3)]


def crew(hire: Hire, servers: list[FakeVLLM], *, rules: Rules | None = None, **settings: Any) -> VllmExpert:
    """An expert on these servers, whose choices repeat."""
    urls = [server.url for server in servers]
    expert = hire(model="fake-model", replicas=urls, **settings)
    expert.replicas = Replicas(urls, random=Random(5), rules=rules)
    return expert


def asking(*, left_s: float = 10.0, session: str | None = None, **fields: Any) -> ChatRequest:
    body = {"messages": [{"role": "user", "content": "Count."}], **fields}
    return ChatRequest(body=body, deadline=anyio.current_time() + left_s, session=session)


class Kept:
    """An `emit` that keeps the text."""

    def __init__(self) -> None:
        self.text = ""

    async def __call__(self, chunk: Chunk) -> None:
        self.text += "".join(choice["delta"].get("content") or "" for choice in chunk.data["choices"])


async def test_no_stream_is_lost_or_doubled_when_a_server_dies_before_it_spoke(
    hire: Hire, servers: list[FakeVLLM]
) -> None:
    """Specified (issue, 3): 64 streams, three servers, one killed under them."""
    expert, holds, heard = crew(hire, servers), [Hold(after=0) for _ in servers], [Kept() for _ in range(64)]
    for server, hold in zip(servers, holds, strict=True):
        server.fault = hold
    async with in_service(expert):
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for kept in heard:
                    group.start_soon(expert.draft, asking(stream=True), kept)
                for server in servers:
                    await server.until(lambda: sum(each.running for each in servers) == 64)
                assert max(server.running for server in servers) <= 23
                await servers[0].refuse()
                for hold in holds[1:]:
                    hold.release.set()
    assert {kept.text for kept in heard} == {ANSWER.text}
    assert [seen.in_flight for seen in expert.replicas_seen()] == [0, 0, 0]
    assert expert.replicas_seen()[0].failures > 0


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        Status(code=500),
        Status(code=502),
        Status(code=503),
        Status(code=429, headers={"Retry-After": "60"}),
        Status(code=429),
        Status(code=404),
        Hang(),
        Cut(after=0),
        Cut(after=0, clean=False),
        Garbage(after=0),
        StreamError(after=0),
    ],
    ids=repr,
)
async def test_every_request_is_answered_while_one_server_is_well(
    hire: Hire, servers: list[FakeVLLM], fault: Fault, *, stream: bool
) -> None:
    """Specified: each fault before the first token is another server's turn, and a broken one is soon left alone."""
    servers[0].fault = servers[1].fault = fault
    expert = crew(hire, servers, first_token_timeout_s=0.05)
    with anyio.fail_after(10):
        async with in_service(expert):
            for _ in range(6):
                draft = await expert.draft(asking(stream=stream), Kept())
                assert (draft.text, draft.replica) == (ANSWER.text, servers[2].url)
    if not isinstance(fault, Status) or fault.code != 404:
        assert all(len(server.requests) <= 3 for server in servers[:2])


async def test_all_servers_dead_is_an_error_at_once_that_names_each(hire: Hire, servers: list[FakeVLLM]) -> None:
    """No hang, and no lost error."""
    expert = crew(hire, servers)
    for server in servers:
        await server.refuse()
    with anyio.fail_after(5):
        for _ in range(10):
            with pytest.raises(ExpertUnavailable) as raised:
                await expert.draft(asking(stream=True), Kept())
            assert all(server.url in str(raised.value) for server in servers)
    assert [seen.breaker for seen in expert.replicas_seen()] == ["open"] * 3


async def test_servers_that_all_come_back_answer_at_once(hire: Hire, servers: list[FakeVLLM]) -> None:
    """Breakers do not refuse while nobody else can be asked."""
    expert = crew(hire, servers)
    for server in servers:
        await server.refuse()
    with pytest.raises(ExpertUnavailable):
        await expert.draft(asking(), Kept())
    for server in servers:
        await server.listen()
    assert (await expert.draft(asking(), Kept())).text == ANSWER.text


async def test_server_that_comes_back_is_found_by_its_probe_and_gets_requests_again(
    hire: Hire, servers: list[FakeVLLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and restarted: out, and in again."""
    monkeypatch.setattr(VllmExpert, "probe_interval_s", 0.01)
    expert = crew(hire, servers)
    with anyio.fail_after(10):
        async with in_service(expert):
            await servers[0].refuse()
            for _ in range(12):
                await expert.draft(asking(), Kept())
            probes = servers[1].probes
            await servers[1].until(lambda: servers[1].probes > probes + 2)
            assert expert.replicas_seen()[0].healthy is False
            before = len(servers[0].requests)
            await servers[0].listen()
            await servers[0].until(lambda: expert.replicas_seen()[0].healthy is True)
            assert expert.replicas_seen()[0].breaker == "closed"
            for _ in range(12):
                await expert.draft(asking(), Kept())
            assert len(servers[0].requests) > before


async def test_server_that_flaps_gets_trials_and_no_client_notices(hire: Hire, servers: list[FakeVLLM]) -> None:
    """It breaks, is left alone, is tried with one request, breaks again, and is back when it works."""
    expert = crew(hire, servers, rules=SOON)
    with anyio.fail_after(10):
        async with in_service(expert):
            for works in (False, True, False, True):
                servers[0].fault = None if works else Status(code=500)
                while expert.replicas_seen()[0].breaker != ("closed" if works else "open"):
                    assert (await expert.draft(asking(), Kept())).text == ANSWER.text
    assert expert.replicas_seen()[0].openings >= 2


async def test_trial_goes_to_one_request_alone(hire: Hire, servers: list[FakeVLLM]) -> None:
    """Of many that come at once when it is due."""
    expert = crew(hire, servers, rules=SOON)
    servers[0].fault = Status(code=503)
    while expert.replicas_seen()[0].openings == 0:
        await expert.draft(asking(), Kept())
    seen = len(servers[0].requests)
    servers[0].fault = hold = Hold(after=0)
    with anyio.fail_after(10):
        while not expert.replicas.all[0].trial_due(anyio.current_time()):
            await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(expert.draft, asking(stream=True), Kept())
            await servers[1].until(lambda: len(servers[1].requests + servers[2].requests) >= 19)
            assert len(servers[0].requests) == seen + 1
            hold.release.set()


FAULTS: list[Fault | None] = [
    *[None] * 8,
    Status(code=500),
    Status(code=503),
    Status(code=429),
    Status(code=429, headers={"Retry-After": "0.01"}),
    Drop(),
    Hang(),
    Cut(after=0),
    Cut(after=3),
    Cut(after=5, clean=False),
    Garbage(after=2),
    StreamError(after=4),
]


async def test_under_mixed_faults_no_token_is_doubled_or_reordered_and_nothing_is_left_open(
    hire: Hire, servers: list[FakeVLLM]
) -> None:
    """Specified (issue, 3): 64 at a time, hedged too; each ends with the whole answer or with an error, in time."""
    random, expert = Random(11), crew(hire, servers, rules=SOON, hedge=0.5, first_token_timeout_s=0.1)
    whole = failed = 0

    async def one(limiter: anyio.CapacityLimiter) -> None:
        nonlocal whole, failed
        async with limiter:
            if random.random() < 0.2:
                random.choice(servers).fault = random.choice(FAULTS)
            kept = Kept()
            try:
                await expert.draft(asking(stream=True, left_s=2), kept)
            except ExpertError:
                failed += 1
                assert ANSWER.text.startswith(kept.text)
            else:
                whole += 1
                assert kept.text == ANSWER.text

    with anyio.fail_after(60):
        async with in_service(expert):
            limiter = anyio.CapacityLimiter(64)
            async with anyio.create_task_group() as group:
                for _ in range(600):
                    group.start_soon(one, limiter)
            for server in servers:
                await server.until(lambda: all(each.running == 0 for each in servers))
            assert [seen.in_flight for seen in expert.replicas_seen()] == [0, 0, 0]
    assert whole + failed == 600
    assert min(whole, failed) > 0


async def test_retry_after_of_every_server_is_told_and_respected(hire: Hire, servers: list[FakeVLLM]) -> None:
    """The earliest time counts, and until then nobody is asked."""
    expert = crew(hire, servers)
    for server, wait in zip(servers, ("30", "20", "40"), strict=True):
        server.fault = Status(code=429, headers={"Retry-After": wait})
    with pytest.raises(ExpertOverloaded) as first:
        await expert.draft(asking(), Kept())
    with pytest.raises(ExpertOverloaded) as second:
        await expert.draft(asking(), Kept())
    assert first.value.retry_after_s == 20.0
    assert second.value.retry_after_s is not None
    assert 10 < second.value.retry_after_s <= 20
    assert [len(server.requests) for server in servers] == [1, 1, 1]
    assert [(seen.breaker, seen.failures) for seen in expert.replicas_seen()] == [("closed", 0)] * 3


async def test_session_stays_with_one_server_and_sessions_spread(hire: Hire, servers: list[FakeVLLM]) -> None:
    """Specified: affinity when asked for."""
    expert = crew(hire, servers, affinity="session")
    homes = {}
    async with in_service(expert):
        for session in map(str, range(48)):
            drafts = [await expert.draft(asking(session=session), Kept()) for _ in range(3)]
            (homes[session],) = {draft.replica for draft in drafts}
    assert set(homes.values()) == {server.url for server in servers}


async def test_conversation_stays_with_one_server_by_its_beginning(hire: Hire, servers: list[FakeVLLM]) -> None:
    """Turns that follow find the server's memory of the prompt."""
    expert = crew(hire, servers, affinity="prefix")
    turns = [{"role": "user", "content": "Count."}]
    async with in_service(expert):
        replicas = set()
        for number in range(6):
            replicas.add((await expert.draft(asking(messages=turns), Kept())).replica)
            turns = [*turns, {"role": "assistant", "content": "1"}, {"role": "user", "content": f"and {number}?"}]
    assert len(replicas) == 1


async def test_stream_of_a_server_that_hangs_is_hedged_and_its_connection_closed(
    hire: Hire, servers: list[FakeVLLM]
) -> None:
    """Specified: the loser is told at once, and no token comes twice."""
    expert = crew(hire, servers, hedge=0.9)
    hedging = expert.hedging = Hedging(0.9, share=1.0)
    for _ in range(20):
        hedging.observed(0.01)
    servers[0].fault = Hang()
    with anyio.fail_after(10):
        async with in_service(expert):
            for _ in range(9):
                kept = Kept()
                await expert.draft(asking(stream=True), kept)
                assert kept.text == ANSWER.text
            await servers[0].until(lambda: servers[0].aborted == len(servers[0].requests) > 0)
    assert expert.hedges is not None
    assert expert.hedges.won == len(servers[0].requests)


async def test_hedging_is_for_streams_alone(hire: Hire, servers: list[FakeVLLM]) -> None:
    """The time of an answer that comes whole says more about its length than about its server."""
    expert = crew(hire, servers, hedge=0.9)
    await expert.draft(asking(), Kept())
    assert expert.hedges is not None
    assert expert.hedges.streams == 0


@asynccontextmanager
async def reporting(page: str, *, status: int = 200) -> AsyncIterator[str]:
    """The address of a server that only reports."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=page, status=status) if request.path == "/metrics" else web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_watch_reads_what_servers_report(hire: Hire) -> None:
    """Servers without the page, or with another one, are up all the same."""
    page = "vllm:num_requests_running 4\nvllm:num_requests_waiting 8\nvllm:kv_cache_usage_perc 0.25\n"
    async with reporting(page) as one, reporting(page, status=404) as two, reporting("<html>") as three:
        expert = hire(model="m", replicas=[one, two, three])
        with anyio.fail_after(10):
            async with in_service(expert):
                seen = expert.replicas_seen()
    assert [each.healthy for each in seen] == [True, True, True]
    assert [(each.running, each.waiting, each.kv_usage) for each in seen] == [(4, 8, 0.25), (None,) * 3, (None,) * 3]
