"""What goes wrong with one HTTP request stays with it."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import ExpertDoubtful
from orchestrator.experts.mcp.http_client import BROKEN_OFF, UNREACHED, HttpClient
from orchestrator.experts.mcp.identity import shown
from orchestrator.testing import in_service

pytestmark = pytest.mark.anyio

JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PACKED = gzip.compress(b"{}")


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[str]:
    """The address of a server that answers whatever it is asked with these bytes, and closes."""

    async def answer(stream: Any) -> None:
        async with stream:
            await stream.receive()
            if reply:
                await stream.send(reply)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        yield f"http://127.0.0.1:{port}/mcp"
        group.cancel_scope.cancel()


async def test_a_server_that_is_not_there_is_an_answer(unused_port: int) -> None:
    """Ours: the SDK would end the connection, and every call on it, for one request that cannot be made."""
    with anyio.fail_after(10):
        async with HttpClient({}, most_bytes=100) as client:
            response = await client.post(f"http://127.0.0.1:{unused_port}/mcp", json={})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == UNREACHED
    assert response.json()["error"]["message"].startswith("ConnectError")


async def test_a_server_that_hangs_up_may_have_had_the_request() -> None:
    """Ours: which is another code than for one that was not reached."""
    with anyio.fail_after(10):
        async with answering(b"") as url, HttpClient({}, most_bytes=100) as client:
            assert (await client.post(url, json={})).json()["error"]["code"] == BROKEN_OFF


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (JSON + b"content-length: 200\r\n\r\n" + b" " * 200, "more than 100 bytes"),
        (JSON + b"content-length: 90\r\n\r\n" + b" " * 50, "broke off"),
        (JSON + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(PACKED) + PACKED, "packed"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_what_the_sdk_expects(reply: bytes, problem: str) -> None:
    """Ours: too long, cut, or packed so that its size is not known."""
    with anyio.fail_after(10):
        async with answering(reply) as url, HttpClient({}, most_bytes=100) as client:
            with pytest.raises(httpx2.StreamError, match=problem):
                await client.post(url, json={})


async def test_an_http_answer_that_is_too_long_leaves_others_alone(weather: Any, place: Any, asked: Any) -> None:
    """Specified: a call under way on the same connection gets its answer."""
    flood, hold = place.expert(weather.settings, tool="flood"), place.expert(weather.settings, tool="hold")
    answers: list[str] = []

    async def wait() -> None:
        answers.append((await hold.draft(asked("kept"), _nowhere)).text)

    with anyio.fail_after(20):
        async with in_service(flood, hold), anyio.create_task_group() as group:
            group.start_soon(wait)
            await weather.held.wait()
            with pytest.raises(ExpertDoubtful):
                await flood.draft(asked("x" * 20), _nowhere)
            assert (hold.condition.state, answers) == ("up", [])
            weather.release.set()
    assert answers == ["kept"]


def test_what_is_shown_of_a_server_holds_no_secret() -> None:
    """Ours: neither arguments nor user name and query of an address."""
    assert shown(McpServerSettings(command="/bin/tool", args=("--token", "secret"))) == "/bin/tool"
    assert shown(McpServerSettings(url="https://me:secret@host:1/mcp?key=secret")) == "https://host:1/mcp"


async def _nowhere(_: object) -> None:
    """An `emit` for answers that are not streamed."""
