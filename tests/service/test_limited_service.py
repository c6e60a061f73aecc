"""Limits, breakers and faults as clients see them, over real HTTP and before faked model servers."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import orjson
import pytest

from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertFailed, ExpertOverloaded
from orchestrator.experts import Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.fleet.guard import FAILURES
from orchestrator.testing import FakeVLLM, Reply, ScriptedExpert
from orchestrator.testing.faults import Cut, Hold, Status, StreamError
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ALONE = {"math": ["solver"], "general": ["solver"]}
BOTH = {"math": ["solver", "writer"], "general": ["writer"]}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": "math"}], **fields}


def limits(**solver: Any) -> dict[str, Any]:
    return {"solver": {"kind": "scripted", **solver}, "writer": {"kind": "scripted"}}


@asynccontextmanager
async def over(server: FakeVLLM, *others: ScriptedExpert, **blocks: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The service with `solver` on a faked server, and other experts."""
    site = Site(folder=Path(), cache=Path(), expert=lambda _: solver, embedder=lambda _: None)  # type: ignore[arg-type,return-value]
    solver = VllmExpert("solver", VllmSettings(model="fake-model", replicas=(server.url,)), site)
    categories = BOTH if others else ALONE
    with anyio.fail_after(20):
        async with served(solver, *others, categories=categories, **blocks) as client:
            while (await client.get("/v1/experts")).json()[0]["state"] == "starting":  # noqa: ASYNC110 - its probe
                await anyio.sleep(0.01)
            yield client


async def decision_of(client: httpx.AsyncClient, response: httpx.Response) -> dict[str, Any]:
    found = await client.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}")
    decision: dict[str, Any] = found.json()
    return decision


@pytest.mark.parametrize("stream", [False, True])
async def test_beyond_the_queue_a_client_gets_429_and_when_to_come_back(*, stream: bool) -> None:
    """In OpenAI's form, streaming or not."""
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=(held := anyio.Event())))
    async with (
        served(solver, categories=ALONE, experts=limits(max_concurrency=1, max_queue=0)) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(lambda: client.post(CHAT, json=body()))
        await solver.asked.wait()
        response = await client.post(CHAT, json=body(stream=stream))
        held.set()
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"]) == (429, "rate_limit_error", "expert_busy")
    assert int(response.headers["retry-after"]) >= 1


async def test_an_open_breaker_is_503_with_the_time_of_the_next_trial() -> None:
    """For a client that named the expert; what the list of experts says is the same."""
    solver = ScriptedExpert("solver", ExpertFailed("solver", "broken"))
    async with served(solver, categories=ALONE) as client:
        for _ in range(FAILURES):
            response = await client.post(CHAT, json=body(model="solver"))
        (shown,) = (await client.get("/v1/experts")).json()
        asked = len(solver.requests)
        response = await client.post(CHAT, json=body(model="solver"))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "expert_suspended")
    assert 1 <= int(response.headers["retry-after"]) <= 5
    assert (shown["state"], "breaker is open" in shown["reason"]) == ("down", True)
    assert len(solver.requests) == asked


async def test_retry_after_is_the_smallest_wait_of_those_that_were_tried() -> None:
    """The one that is ready first decides."""
    solver = ScriptedExpert("solver", ExpertOverloaded("solver", "full", retry_after_s=30))
    writer = ScriptedExpert("writer", ExpertOverloaded("writer", "full", retry_after_s=19.5))
    async with served(solver, writer, categories=BOTH) as client:
        response = await client.post(CHAT, json=body())
    assert (response.status_code, response.headers["retry-after"]) == (503, "20")


async def test_a_server_that_is_full_is_left_for_as_long_as_it_asks() -> None:
    """Its Retry-After opens the way to the next expert; the server is asked once, and then not until that time."""
    async with FakeVLLM() as server:
        server.fault = Status(code=429, headers={"Retry-After": "17"})
        async with over(server, ScriptedExpert("writer", "words")) as client:
            answers = [await client.post(CHAT, json=body()) for _ in range(FAILURES + 1)]
            asked = len(server.requests)
            named = await client.post(CHAT, json=body(model="solver"))
            server.fault = None
    assert {each.json()["model"] for each in answers} == {"writer"}
    assert asked == len(server.requests) == 1
    assert 15 <= int(named.headers["retry-after"]) <= 17


async def test_never_more_requests_at_a_server_than_its_expert_may_have() -> None:
    """A crowd of clients, streaming and not: each gets its answer or a 429, and the server never sees too many."""
    most = 0
    async with FakeVLLM() as server:
        hold = Hold(after=1)
        server.fault = hold
        answered: Counter[int] = Counter()
        async with over(server, experts=limits(max_concurrency=4, max_queue=10)) as client:

            async def ask(number: int) -> None:
                response = await client.post(CHAT, json=body(stream=number % 2 == 0))
                answered[response.status_code] += 1
                if response.status_code == 200 and number % 2 == 0:
                    assert response.text.endswith("data: [DONE]\n\n")

            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(ask, number)
                await server.until(lambda: server.running == 4)
                while answered[429] < 26:
                    most = max(most, server.running)
                    await anyio.sleep(0.005)
                server.fault = None
                hold.release.set()
    assert answered == {200: 14, 429: 26}
    assert most == 4


async def test_clients_that_leave_free_their_places() -> None:
    """Those who are served and those who wait: the next one is answered."""
    async with FakeVLLM() as server:
        server.fault = Hold(after=1)
        async with over(server, experts=limits(max_concurrency=2, max_queue=3)) as client:
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(lambda: client.post(CHAT, json=body(stream=True)))
                await server.until(lambda: server.running == 2)
                group.cancel_scope.cancel()
            server.fault = None
            while (response := await client.post(CHAT, json=body())).status_code == 429:  # noqa: ASYNC110 - see below
                await anyio.sleep(0.01)  # until the service has seen them go
            await server.until(lambda: server.running == 0)
    assert response.status_code == 200


@pytest.mark.parametrize("fault", [Cut(after=2), Cut(after=2, clean=False), StreamError(after=2)], ids=str)
async def test_an_error_after_the_first_byte_is_one_event_and_in_the_decision(fault: Any) -> None:
    """Nobody else is asked, nothing comes twice, and there is no [DONE]."""
    writer = ScriptedExpert("writer", "words")
    async with FakeVLLM() as server:
        server.fault = fault
        async with over(server, writer) as client:
            response = await client.post(CHAT, json=body(stream=True))
            decision = await decision_of(client, response)
    data = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    errors = [each for each in map(orjson.loads, data) if "error" in each]
    assert len(errors) == 1
    assert "error" in orjson.loads(data[-1])
    assert len(data) == 3
    assert decision["error"]["kind"] == decision["attempts"][0]["failure"]["kind"]
    assert errors[0]["error"]["message"] == decision["error"]["message"]
    assert (len(decision["attempts"]), writer.requests) == (1, [])


async def test_a_server_that_died_is_replaced_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clients go to the fallback while it is away, none is lost; its probe brings it back before the breaker."""
    monkeypatch.setattr(VllmExpert, "probe_interval_s", 0.02)
    async with FakeVLLM() as server, over(server, ScriptedExpert("writer", "words")) as client:
        assert (await client.post(CHAT, json=body())).json()["model"] == "solver"
        await server.refuse()
        away = [await client.post(CHAT, json=body()) for _ in range(2 * FAILURES)]
        assert {each.json()["model"] for each in away} == {"writer"}
        await server.listen()
        while (back := await client.post(CHAT, json=body())).json()["model"] != "solver":
            assert back.status_code == 200
            await anyio.sleep(0.01)
