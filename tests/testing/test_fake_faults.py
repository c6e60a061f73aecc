"""Each fault of the faked server, as it reaches a client."""

import json
import socket
import struct

import aiohttp
import anyio
import httpx
import pytest

from orchestrator.testing import (
    FAULTS,
    Cut,
    FakeVLLM,
    Fault,
    Garbage,
    Hang,
    Html,
    Huge,
    Mixture,
    Numbered,
    Reset,
    Schedule,
    Slow,
    Stall,
    Status,
    WrongModel,
    traced,
)
from orchestrator.testing.mixture import named_fault, named_mixture

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


def body(*, stream: bool) -> dict[str, object]:
    return {"model": "fake-model", "messages": [{"role": "user", "content": "q1"}], "stream": stream}


async def raw(server: FakeVLLM, *, stream: bool, path: str = CHAT) -> tuple[bytes, BaseException | None]:
    """All bytes that came over the connection, and how it ended: None, or the error of reading."""
    content = json.dumps(body(stream=stream)).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    got = b""
    async with await anyio.connect_tcp("127.0.0.1", server.port) as connection:
        await connection.send(head.encode() + content)
        try:
            while True:
                got += await connection.receive()
        except anyio.EndOfStream:
            return got, None
        except anyio.BrokenResourceError as error:
            return got, error.__cause__


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("name", "after"), [("429", None), ("429-after", "1"), ("500", None), ("503-after", "1")])
async def test_statuses_come_with_or_without_retry_after(name: str, after: str | None, *, stream: bool) -> None:
    """The body is OpenAI's error."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = FAULTS[name]
        answer = await client.post(CHAT, json=body(stream=stream))
    assert (answer.status_code, answer.headers.get("Retry-After")) == (int(name[:3]), after)
    assert answer.json()["error"]["code"] == answer.status_code
    assert [recorded.fault for recorded in server.requests] == [FAULTS[name]]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", [Reset(), Reset(after=2)])
async def test_reset_breaks_the_connection(fault: Reset, *, stream: bool) -> None:
    """As the kernel does for a dead process: RST, before the answer or in it."""
    async with FakeVLLM(answer=Numbered("a")) as server:
        server.fault = fault
        with anyio.fail_after(10):
            got, error = await raw(server, stream=stream)
    assert isinstance(error, ConnectionResetError)
    assert (got == b"") == (fault.after is None)
    assert b"[DONE]" not in got
    if fault.after and stream:
        assert got.count(b"data: ") == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_page_comes_where_json_should(*, stream: bool) -> None:
    """As a proxy or another server at this address would."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = Html(code=502)
        answer = await client.post(CHAT, json=body(stream=stream))
        server.fault_at["*"] = Html()
        others = [await client.get(path) for path in ("/health", "/v1/models", "/metrics")]
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    assert {(other.status_code, other.text[:9]) for other in others} == {(200, "<!DOCTYPE")}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", [Hang(), Slow(seconds=3600), Stall(after=0)])
async def test_server_that_keeps_silent_runs_the_request_until_the_client_leaves(fault: Fault, *, stream: bool) -> None:
    """Nothing of the answer arrives, and the request counts as running."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = fault
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: client.post(CHAT, json=body(stream=stream)))
                await server.until(lambda: server.running == 1)
                group.cancel_scope.cancel()
            await server.until(lambda: (server.running, server.aborted) == (0, 1))
    assert b"[DONE]" not in server.sent


async def test_slow_and_stalled_answers_are_whole_in_the_end() -> None:
    """Seconds that pass spoil nothing."""
    async with FakeVLLM(answer=Numbered("a")) as server, httpx.AsyncClient(base_url=server.url) as client:
        texts = []
        for fault in (Slow(seconds=0.01), Stall(after=5, seconds=0.01)):
            server.fault = fault
            answer = await client.post(CHAT, json=body(stream=False))
            texts.append(answer.json()["choices"][0]["message"]["content"])
    assert [traced(text).whole for text in texts] == [True, True]


@pytest.mark.parametrize(("clean", "failure"), [(True, None), (False, httpx.RemoteProtocolError)])
async def test_stream_is_cut_with_and_without_an_end(failure: type[Exception] | None, *, clean: bool) -> None:
    """A clean cut looks whole to HTTP: [DONE] alone is missing."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = Cut(after=3, clean=clean)
        if failure:
            with pytest.raises(failure):
                await client.post(CHAT, json=body(stream=True))
            return
        answer = await client.post(CHAT, json=body(stream=True))
    assert (answer.status_code, answer.text.count("data: "), "[DONE]" in answer.text) == (200, 3, False)


@pytest.mark.parametrize("stream", [True, False])
async def test_garbage_errors_and_huge_events_stand_in_a_good_answer(*, stream: bool) -> None:
    """Status 200; what is inside is wrong."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        texts = {}
        for name, fault in {**FAULTS, "huge": Huge(after=1, size_bytes=100_000)}.items():
            if name in {"garbage", "error-event", "huge"}:
                server.fault = fault
                answer = await client.post(CHAT, json=body(stream=stream))
                assert answer.status_code == 200
                texts[name] = answer.text
    assert Garbage().data.decode() in texts["garbage"]
    assert '"error": {"message": "the engine died"' in texts["error-event"]
    assert 100_000 <= len(texts["huge"]) < 110_000
    if not stream:
        assert len(json.loads(texts["huge"])["choices"][0]["message"]["content"]) > 99_000


@pytest.mark.parametrize("stream", [True, False])
async def test_another_model_answers(*, stream: bool) -> None:
    """In every event."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = WrongModel(model="impostor")
        answer = await client.post(CHAT, json=body(stream=stream))
    assert '"model": "fake-model"' not in answer.text
    assert '"model": "impostor"' in answer.text


async def test_embeddings_and_completions_have_faults_too() -> None:
    """Everything that does the model's work."""
    async with FakeVLLM(runner="pooling") as pooling, FakeVLLM() as server, httpx.AsyncClient() as client:
        pooling.fault = server.fault = Status(code=503)
        vectors = await client.post(f"{pooling.url}/v1/embeddings", json={"input": "a"})
        text = await client.post(f"{server.url}/v1/completions", json={"model": "fake-model", "prompt": "a"})
        pooling.fault = FAULTS["drop"]
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(f"{pooling.url}/v1/embeddings", json={"input": "a"})
    assert (vectors.status_code, text.status_code) == (503, 503)


async def test_one_path_can_have_a_fault_of_its_own() -> None:
    """A slow /health, a /wake_up that fails: the rest goes well."""
    async with FakeVLLM(dev=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault_at = {"/health": Hang(), "/wake_up": Status(code=500), "/metrics": Reset()}
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/health", timeout=0.05)
        failed = await client.post("/wake_up")
        with pytest.raises(httpx.ReadError):
            await client.get("/metrics")
        chat = await client.post(CHAT, json=body(stream=False))
        del server.fault_at["/wake_up"]
        woken = await client.post("/wake_up")
    assert (failed.status_code, chat.status_code, woken.status_code) == (500, 200, 200)


async def test_killed_server_resets_its_connections_and_comes_back_at_its_port() -> None:
    """Awake, with nothing under way, and whole answers."""
    async with FakeVLLM(dev=True, answer=Numbered("a")) as server, aiohttp.ClientSession(server.url) as session:
        server.fault = Stall(after=4)
        url = server.url
        with anyio.fail_after(10):
            async with session.post(CHAT, json=body(stream=True)) as answer:
                await server.until(lambda: len(server.sent) == 4)
                await server.kill()
                with pytest.raises(aiohttp.ClientError):
                    await answer.read()
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get("/health")
            await server.listen()
            server.fault = None
            async with session.post(CHAT, json=body(stream=False)) as answer:
                said = await answer.json()
    assert (server.url, server.running, server.asleep) == (url, 0, False)
    assert traced(said["choices"][0]["message"]["content"]).request == 2


async def test_mixture_strikes_its_shares_and_is_repeated_by_its_seed() -> None:
    """Chance for a soak, yet the same in every run."""
    shares = [(FAULTS["500"], 0.2), (FAULTS["cut"], 0.1)]
    picks = [[mixture.pick() for _ in range(2000)] for mixture in (Mixture(shares, seed=3), Mixture(shares, seed=3))]
    struck = [sum(pick == fault for pick in picks[0]) for fault, _ in shares]
    assert picks[0] == picks[1] != [Mixture(shares, seed=4).pick() for _ in range(2000)]
    assert struck == [pytest.approx(400, abs=80), pytest.approx(200, abs=60)]
    with pytest.raises(ValueError, match="shares"):
        Mixture([(Hang(), 0.7), (Slow(), 0.7)])


async def test_server_takes_each_requests_fault_from_a_source() -> None:
    """What was picked is on the record of the request."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = Schedule(FAULTS["500"], None, FAULTS["503"])
        codes = [(await client.post(CHAT, json=body(stream=False))).status_code for _ in range(4)]
    assert codes == [500, 200, 503, 200]
    assert [recorded.fault for recorded in server.requests] == [FAULTS["500"], None, FAULTS["503"], None]
    again = Schedule(FAULTS["500"], None, again=True)
    assert [again.pick() for _ in range(4)] == [FAULTS["500"], None] * 2


def test_faults_are_named_with_shares_and_seconds() -> None:
    """As on the command line."""
    assert named_fault("stall:0.1:2.5") == (Stall(seconds=2.5), 0.1)
    assert named_fault("503-after") == (FAULTS["503-after"], 1.0)
    assert named_mixture([]) is None
    for wrong in ("stal", "stall:2", "stall:x", "cut:1:2"):
        with pytest.raises(ValueError, match=r".+"):
            named_fault(wrong)


def test_a_connection_that_lingers_for_no_time_is_what_resets() -> None:
    """A known fact of sockets that `Reset` stands on."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as near:
        far, _ = listening.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        with pytest.raises(ConnectionResetError):
            near.recv(1)
