"""The HTTP server itself: what clients send is bounded in bytes and time, and a stop lets answers under way end."""

import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import SocketStream

from orchestrator.config.settings import Serve
from orchestrator.engine import Engine
from orchestrator.experts import Expert
from orchestrator.service.app import create_app
from orchestrator.service.server import Server, server_of
from orchestrator.testing import Reply, ScriptedExpert
from tests.flowing import flowing

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BODY = b'{"messages": [{"role": "user", "content": "math"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@asynccontextmanager
async def running(app: Any, **serve: Any) -> AsyncIterator[tuple[Server, int]]:
    """A server of the product on a port of its own, and the port."""
    server = server_of(app, Serve(**serve), port=0, lifespan="on")
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve)
            while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
                await anyio.sleep(0.005)
            yield server, server.servers[0].sockets[0].getsockname()[1]
            server.should_exit = True


@asynccontextmanager
async def serving(*experts: Expert, **serve: Any) -> AsyncIterator[tuple[Server, int]]:
    """The whole service over these experts."""
    categories = {"math": ["solver"], "general": ["solver"]}
    async with flowing(*experts, categories=categories) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with running(create_app(engine.config, there), **serve) as found:
            yield found


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[SocketStream]:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield stream


async def rest(stream: SocketStream) -> bytes:
    """Everything until the server hangs up."""
    received = b""
    try:
        async for piece in stream:
            received += piece
    except anyio.BrokenResourceError:
        pass
    return received


async def answer(stream: SocketStream) -> bytes:
    """One whole answer with a length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += await stream.receive()
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += await stream.receive()
    return head + b"\r\n\r\n" + body


@pytest.mark.parametrize("pieces", [1, 2, 40])
async def test_headers_beyond_the_limit_are_refused(pieces: int) -> None:
    """However they come, with OpenAI's error body; the application never sees them."""
    solver = ScriptedExpert("solver")
    long = HEAD + b"x-long: " + b"a" * 3000 + b"\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
    async with serving(solver, max_header_bytes=2048) as (_, port), connected(port) as stream:
        step = -(-len(long) // pieces)
        for start in range(0, len(long), step):
            try:
                await stream.send(long[start : start + step])
            except anyio.BrokenResourceError:
                break
            await anyio.lowlevel.checkpoint()
        received = await rest(stream)
    assert received.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert received.count(b"HTTP/1.1") == 1
    assert b"max_header_bytes" in received
    assert solver.requests == []


async def test_a_header_that_never_ends_is_refused_at_the_limit() -> None:
    """What comes after that is dropped, and soon the connection."""
    async with serving(ScriptedExpert("solver"), max_header_bytes=4096) as (_, port), connected(port) as stream:
        await stream.send(HEAD + b"x-endless: ")
        await stream.send(b"a" * 5000)
        assert (await stream.receive()).startswith(b"HTTP/1.1 431")
        with pytest.raises(anyio.BrokenResourceError):
            await endless(stream)


async def endless(stream: SocketStream) -> None:
    while True:
        await stream.send(b"a" * 64_000)


async def test_headers_up_to_the_limit_pass() -> None:
    """Also with a body that is longer than the limit, and again on the same connection."""
    body = b'{"messages": [{"role": "user", "content": "math %s"}]}' % (b"x" * 8000)
    request = HEAD + b"x-long: " + b"a" * 1800 + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with (
        serving(ScriptedExpert("solver", "42"), max_header_bytes=2048) as (_, port),
        connected(port) as stream,
    ):
        for cut in (len(request), 100, 2500):
            await stream.send(request[:cut])
            await anyio.lowlevel.checkpoint()
            await stream.send(request[cut:] or b"")
            assert (await answer(stream)).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("sent", [b"POST /v1", HEAD, WHOLE[:-5]], ids=["line", "headers", "body"])
async def test_a_request_that_does_not_end_is_given_up(sent: bytes) -> None:
    """Wherever it stops: 408, and the connection is closed."""
    solver = ScriptedExpert("solver")
    async with serving(solver, body_timeout_s=0.2) as (_, port), connected(port) as stream:
        await stream.send(sent)
        received = await rest(stream)
    assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"body_timeout_s" in received
    assert solver.requests == []


async def test_a_client_that_sends_nothing_is_hung_up_on() -> None:
    """Without a word, since it has asked nothing."""
    async with serving(ScriptedExpert("solver"), body_timeout_s=0.2) as (_, port), connected(port) as stream:
        assert await rest(stream) == b""


async def test_an_answer_that_takes_longer_is_no_slow_request() -> None:
    """The limit is for what the client sends: a request that is whole has met it."""
    held = anyio.Event()
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=held))
    async with serving(solver, body_timeout_s=0.1) as (server, port), connected(port) as stream:
        await stream.send(WHOLE)
        await solver.asked.wait()
        for _ in range(3):
            await server.on_tick(0)
            await anyio.sleep(0.1)
        held.set()
        assert (await answer(stream)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_what_is_no_http_is_told_so_in_json() -> None:
    """Like any other error."""
    async with serving(ScriptedExpert("solver")) as (_, port), connected(port) as stream:
        await stream.send(b"\x16\x03\x01 not http at all\r\n\r\n")
        received = await rest(stream)
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"invalid_request_error"' in received


async def test_a_stop_lets_streams_under_way_end_and_refuses_new_requests() -> None:
    """On connections that are there and on new ones, with the advice to go elsewhere; then the server ends."""
    held = anyio.Event()
    solver = ScriptedExpert("solver", Reply(pieces=("4", "2"), between=held))
    async with serving(solver, drain_s=10) as (server, port), httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{port}"
        body = {"messages": [{"role": "user", "content": "math"}], "stream": True}
        async with client.stream("POST", url + CHAT, json=body) as response:
            lines = response.aiter_lines()
            await anext(lines)
            server.handle_exit(signal.SIGTERM, None)
            server._captured_signals.clear()  # uvicorn would raise it in this process afterwards
            while (await client.get(url + "/v1/experts")).status_code == 200:  # noqa: ASYNC110 - the next tick begins it
                await anyio.sleep(0.01)
            refused = await client.post(url + CHAT, json=body)
            alive = await client.get(url + "/health")
            held.set()
            rest_of_it = [line async for line in lines if line]
        assert rest_of_it[-1] == "data: [DONE]"
        assert refused.status_code == 503
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        assert refused.json()["error"]["message"] == "The service is being stopped."
        assert alive.status_code == 200
        while server.servers[0].sockets != ():  # noqa: ASYNC110 - uvicorn tells nobody
            await anyio.sleep(0.01)


async def test_streams_that_do_not_end_are_cut_after_the_draining() -> None:
    """A stop comes to its end: what is left then is cancelled, with its experts."""
    solver = ScriptedExpert("solver", Reply(pieces=("4", "2"), between=anyio.Event()))
    async with serving(solver, drain_s=0.2) as (server, port), httpx.AsyncClient(trust_env=False) as client:
        body = {"messages": [{"role": "user", "content": "math"}], "stream": True}
        async with client.stream("POST", f"http://127.0.0.1:{port}{CHAT}", json=body) as response:
            lines = response.aiter_lines()
            await anext(lines)
            server.drain()
            with pytest.raises(httpx.RemoteProtocolError):
                [line async for line in lines]
    assert (solver.running, solver.cancelled) == (0, 1)


async def test_a_stop_without_anything_under_way_is_at_once() -> None:
    """Nobody waits for a draining of nothing; a second signal ends a draining too."""
    async with serving(ScriptedExpert("solver"), drain_s=1000) as (server, _):
        server.drain()
    held = ScriptedExpert("solver", Reply(pieces=("42",), before=anyio.Event()))
    async with serving(held, drain_s=1000) as (server, port), connected(port) as stream:
        await stream.send(WHOLE)
        await held.asked.wait()
        server.drain()
        server.handle_exit(signal.SIGTERM, None)
        server._captured_signals.clear()
    assert held.running == 0


class Told:
    """An application that keeps the bodies that it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def test_requests_arrive_whole_however_they_are_cut() -> None:
    """Bounds change nothing for those who keep them: pipelined, and in any pieces."""
    random = Random(5)  # noqa: S311 - where to cut
    app = Told()
    async with running(app, max_header_bytes=1024) as (_, port):
        for _ in range(60):
            bodies = [b"b" * random.randint(0, 1500) for _ in range(random.randint(1, 4))]
            raw = b"".join(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body for body in bodies)
            cuts = sorted(random.randint(0, len(raw)) for _ in range(random.randint(0, 6)))
            async with connected(port) as stream:
                for start, end in pairwise([0, *cuts, len(raw)]):
                    if start < end:
                        await stream.send(raw[start:end])
                        await anyio.lowlevel.checkpoint()
                received = b""
                while received.count(b"HTTP/1.1 200 OK") < len(bodies):
                    received += await stream.receive()
            assert app.bodies == bodies
            app.bodies.clear()


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [(b"x-request-id: abc-1\r\n", rb"abc-1"), (b"", rb"req_[0-9a-f]{24}"), (b"x-request-id: a b\r\n", rb"req_\w+")],
)
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/nowhere"])
async def test_every_response_has_a_request_id(sent: bytes, echoed: bytes, path: bytes) -> None:
    """The client's own where it can be echoed, else a new one; errors have one too."""
    async with serving(ScriptedExpert("solver", "42")) as (_, port), connected(port) as stream:
        await stream.send(WHOLE.replace(CHAT.encode(), path).replace(b"host: h\r\n", b"host: h\r\n" + sent))
        received = await answer(stream)
    assert re.search(rb"\r\nx-request-id: " + echoed + rb"\r\n", received)
