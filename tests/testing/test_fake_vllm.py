"""The faked server, as a client of its own sees it."""

import socket
import subprocess
import sys
from contextlib import suppress

import anyio
import anyio.lowlevel
import httpx
import pytest

from orchestrator.testing import Answer, Drop, FakeVLLM, Status

pytestmark = pytest.mark.anyio

BODY = {"model": "fake-model", "messages": [{"role": "user", "content": "hi"}]}


async def test_answers_health_models_and_chat() -> None:
    """As vLLM does."""
    async with FakeVLLM(models=("one", "two")) as server, httpx.AsyncClient(base_url=server.url) as client:
        health = await client.get("/health")
        models = await client.get("/v1/models")
        chat = await client.post("/v1/chat/completions", json={**BODY, "model": "two", "logprobs": True})
    assert health.status_code == 200
    assert [model["id"] for model in models.json()["data"]] == ["one", "two"]
    assert chat.content == server.sent[0] == Answer().completion("two", logprobs=True)
    assert chat.json()["choices"][0]["message"]["content"] == Answer().text
    assert [recorded.body["model"] for recorded in server.requests] == ["two"]


async def test_streams_events_and_done() -> None:
    """Framed as SSE, with usage where asked."""
    body = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post("/v1/chat/completions", json=body)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.content == b"".join(b"data: " + event + b"\n\n" for event in server.sent)
    assert server.sent[-1] == b"[DONE]"
    assert b'"choices": []' in server.sent[-2]


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"{}", 400), (b"[]", 400), (b'{"model": "x", "messages": []}', 404)]
)
async def test_refuses_bad_requests_with_vllms_error_body(content: bytes, status: int) -> None:
    """Message, type, param and code."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post("/v1/chat/completions", content=content)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_faults_are_switched_while_it_runs() -> None:
    """And it comes back at the same address after it was gone."""
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = Status(code=429, headers={"Retry-After": "3"})
        busy = await client.post("/v1/chat/completions", json=BODY)
        server.fault = Drop()
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/chat/completions", json=BODY)
        server.fault = None
        await server.refuse()
        with pytest.raises(httpx.ConnectError):
            await client.get("/health")
        await server.listen()
        well = await client.get("/health")
    assert (busy.status_code, busy.headers["Retry-After"], well.status_code) == (429, "3", 200)


async def test_importing_the_doubles_loads_no_test_framework_model_or_mcp() -> None:
    """A plugin's author may have none of them."""
    code = (
        "import sys, orchestrator.testing; print(sorted({'pytest', 'torch', 'mcp', 'transformers'} & set(sys.modules)))"
    )
    with anyio.fail_after(60):
        done = await anyio.run_process([sys.executable, "-c", code], stderr=subprocess.STDOUT)
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize("turns", range(6))
async def test_who_connects_just_before_a_kill_is_hung_up_on(turns: int) -> None:
    """However far the server was with taking the connection: a killed process leaves nobody waiting."""
    async with FakeVLLM() as server:
        clients = [socket.create_connection((server.host, server.port)) for _ in range(8)]
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        await server.kill()
        with anyio.fail_after(5):
            for client in clients:
                client.setblocking(False)
                with client, suppress(ConnectionResetError):
                    await anyio.wait_readable(client)
                    assert client.recv(1) == b""
