"""A faked server that sleeps and wakes."""

import anyio
import httpx
import pytest

from orchestrator.testing import FakeVLLM, Hang, Hold, Numbered, Stall

pytestmark = pytest.mark.anyio

BODY = {"model": "fake-model", "messages": [{"role": "user", "content": "hi"}]}
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("path", ["/sleep", "/wake_up", "/collective_rpc"])
async def test_paths_of_sleep_are_there_in_dev_mode_alone(path: str) -> None:
    """Specified (vLLM)."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        answers = [await client.post(path), await client.get("/is_sleeping")]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, {"detail": "Not Found"})] * 2


async def test_request_to_a_sleeping_server_hangs_until_it_is_woken_and_is_counted() -> None:
    """The trap that residency must avoid; waking brings the parts that it is told."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        asleep = await client.post("/sleep", params={"level": 1})
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: client.post(CHAT, json=BODY))
                await server.until(lambda: (server.while_asleep, server.waiting) == (1, 1))
                health = await client.get("/health")
                part = await client.post("/wake_up", params={"tags": "weights"})
                told = await client.get("/is_sleeping")
                assert server.waiting == 1
                rest = await client.post("/wake_up", params={"tags": ["kv_cache"]})
        again = await client.post("/wake_up")
    assert asleep.json() == {"status": "sleeping", "level": 1}
    assert (health.status_code, told.json()) == (200, {"is_sleeping": True})
    assert part.json() == {"status": "sleeping", "tags": ["weights"]}
    assert rest.json() == {"status": "awake", "tags": ["kv_cache"]}
    assert again.json() == {"status": "awake", "tags": None}
    assert [recorded.asleep for recorded in server.requests] == [True]
    assert not server.asleep


@pytest.mark.parametrize(("level", "state"), [(1, "weights_offloaded"), (2, "discard_all")])
async def test_metrics_tell_how_deeply_it_sleeps(level: int, state: str) -> None:
    """Exactly one state is 1."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        await client.post("/sleep", params={"level": level})
        page = (await client.get("/metrics")).text
        await client.post("/wake_up")
        woken = (await client.get("/metrics")).text
    lines = [
        line for line in page.splitlines() if line.startswith("vllm:engine_sleep_state{") and line.endswith(" 1.0")
    ]
    assert len(lines) == 1
    assert f'sleep_state="{state}"' in lines[0]
    assert 'sleep_state="awake"} 1.0' in woken


async def test_weights_of_level_two_are_lost_until_they_are_loaded_again() -> None:
    """Specified (vLLM): `reload_weights` through the workers' calls."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        await client.post("/sleep?level=2")
        await client.post("/wake_up?tags=weights")
        assert server.engine.lost_weights
        await client.post("/collective_rpc", json={"method": "reload_weights"})
        assert not server.engine.lost_weights
        missing = await client.post("/collective_rpc", json={})
    assert missing.status_code == 400


@pytest.mark.parametrize("query", ["level=3", "level=x", "mode=gently"])
async def test_sleep_of_another_kind_is_refused(query: str) -> None:
    """And nothing happens."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post(f"/sleep?{query}")
    assert (answer.status_code, server.asleep) == (400, False)


async def test_sleeping_and_waking_take_their_time_and_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as asleep from the first moment of falling asleep to the last of waking."""
    waited: list[tuple[float, bool]] = []
    sleep = anyio.sleep
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:

        async def counted(seconds: float) -> None:
            waited.append((seconds, server.asleep))
            await sleep(0)

        server.engine.sleep_s, server.engine.wake_s = 2.0, 3.0
        monkeypatch.setattr(anyio, "sleep", counted)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: client.post("/sleep"))
            await server.until(lambda: server.asleep)
            group.start_soon(lambda: client.post("/wake_up"))
    assert [entry for entry in waited if entry[0]] == [(2.0, True), (3.0, True)]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", [Stall(after=3), Hang()])
async def test_requests_that_run_are_aborted_by_sleep(fault: Stall | Hang, stream: bool) -> None:  # noqa: FBT001
    """Specified (vLLM): the default; their end says so, where there is still one to say."""
    async with FakeVLLM(dev=True, answer=Numbered("a")) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = fault
        answers: list[httpx.Response | httpx.RemoteProtocolError] = []

        async def ask() -> None:
            try:
                answers.append(await client.post(CHAT, json={**BODY, "stream": stream}))
            except httpx.RemoteProtocolError as error:
                answers.append(error)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await server.until(
                    lambda: server.running == 1 and (fault == Hang() or len(server.sent) == (3 if stream else 1))
                )
                await client.post("/sleep")
    assert (server.engine.aborted_by_sleep, server.while_asleep, server.running) == (1, 0, 0)
    [answer] = answers
    if isinstance(answer, httpx.Response):
        assert b'"finish_reason": "abort"' in answer.content
    else:
        assert not stream


async def test_sleep_can_wait_for_what_runs() -> None:
    """Mode `wait`."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = hold = Hold(after=1)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: client.post(CHAT, json=BODY))
                await server.until(lambda: bool(server.sent))
                group.start_soon(lambda: client.post("/sleep?mode=wait"))
                await server.until(lambda: server.asleep)
                assert server.running == 1
                hold.release.set()
    assert (server.engine.aborted_by_sleep, server.counts.finished["stop"], server.asleep) == (0, 1, True)


async def test_sleep_can_freeze_what_runs() -> None:
    """Mode `keep`: it goes on after waking."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = hold = Hold(after=2)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: client.post(CHAT, json={**BODY, "stream": True}))
                await server.until(lambda: len(server.sent) == 2)
                await client.post("/sleep?mode=keep")
                hold.release.set()
                await client.get("/is_sleeping")
                assert len(server.sent) == 2
                await client.post("/wake_up")
    assert server.sent[-1] == b"[DONE]"


async def test_requests_that_wait_are_aborted_by_sleep_too() -> None:
    """Specified (vLLM): all that has not ended."""
    async with FakeVLLM(dev=True, max_num_seqs=1) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = Hang()
        answers: list[bytes] = []

        async def ask() -> None:
            answers.append((await client.post(CHAT, json=BODY)).content)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                group.start_soon(ask)
                await server.until(lambda: (server.running, server.waiting) == (1, 1))
                await client.post("/sleep")
    assert [b'"finish_reason": "abort"' in answer for answer in answers] == [True, True]
    assert (server.engine.aborted_by_sleep, server.running, server.waiting) == (2, 0, 0)


async def test_falling_asleep_goes_on_when_the_client_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specified (vLLM): only requests for text end with their clients. A dead server is awake when it starts anew."""
    begun, go_on, sleep = anyio.Event(), anyio.Event(), anyio.sleep

    async def stepped(seconds: float) -> None:
        if seconds == 5.0:
            begun.set()
            await go_on.wait()
        else:
            await sleep(seconds)

    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.engine.sleep_s = 5.0
        monkeypatch.setattr(anyio, "sleep", stepped)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: client.post("/sleep"))
                await begun.wait()
                group.cancel_scope.cancel()
            go_on.set()
            woken = await client.post("/wake_up?tags=weights")
        assert (woken.json()["status"], server.asleep) == ("sleeping", True)
        await server.kill()
        await server.listen()
        assert (await client.get("/is_sleeping")).json() == {"is_sleeping": False}
