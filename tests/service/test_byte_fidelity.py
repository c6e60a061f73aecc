"""What a client receives through the service is what it would receive directly, but for the name of the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import anyio
import httpx
import orjson
import pytest
from anyio.abc import SocketAttribute, SocketStream

from orchestrator.config.kinds import VllmSettings
from orchestrator.experts import Site
from orchestrator.experts.vllm.expert import VllmExpert
from tests.service.serving import served
from tests.service.upstream_streams import drawn

pytestmark = pytest.mark.anyio

STREAMS = 200
CHAT = "/v1/chat/completions"


async def answered(stream: SocketStream) -> None:
    """One connection of a server that streams what the `seed` of each request draws, in pieces of its own."""
    held = b""
    async with stream:
        while True:
            while b"\r\n\r\n" not in held:
                try:
                    held += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return
            head, _, held = held.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(fields.get(b"content-length", b"0"))
            while len(held) < length:
                held += await stream.receive()
            body, held = held[:length], held[length:]
            if not body:  # a probe
                await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                continue
            await stream.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            for piece in drawn(orjson.loads(body)["seed"], model="served-name").pieces:
                await stream.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                await anyio.lowlevel.checkpoint()
            await stream.send(b"0\r\n\r\n")


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """The address of such a server."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - of anyio
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answered)
        yield f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()


def no_other(name: str) -> NoReturn:
    raise AssertionError(name)


def data_of(raw: bytes) -> list[bytes]:
    """What the events of a whole stream hold, by the rules of server-sent events."""
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]


async def test_streams_come_through_byte_for_byte(tmp_path: Path) -> None:
    """200 of them, at odd borders, with unknown fields, empty choices, usage last, and tool calls without content."""
    site = Site(folder=tmp_path, cache=tmp_path, expert=no_other, embedder=no_other)
    async with upstream() as url, httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as straight:
        guide = VllmExpert("guide", VllmSettings(model="served-name", replicas=(url,)), site)
        async with served(guide, categories={"general": ["guide"]}) as client:
            for seed in range(STREAMS):
                body = {"model": "guide", "messages": [{"role": "user", "content": "q"}], "stream": True, "seed": seed}
                with anyio.fail_after(20):
                    direct = await straight.post(CHAT, json=body | {"model": "served-name"})
                    through = await client.post(CHAT, json=body)
                assert through.status_code == direct.status_code == 200
                assert data_of(direct.content) == [*drawn(seed, model="served-name").data, b"[DONE]"]
                assert data_of(through.content) == [*drawn(seed, model="guide").data, b"[DONE]"], seed


async def test_the_streams_have_what_the_test_is_about() -> None:
    """Of the 200, many are cut within an event, have unknown fields, no choices, usage, and calls without content."""
    streams = [drawn(seed, model="m") for seed in range(STREAMS)]
    data = [b"".join(stream.data).replace(b" ", b"") for stream in streams]
    assert sum(len(stream.pieces) > 2 * len(stream.data) for stream in streams) > 50
    for part in (b'"vendor"', b'"choices":[]', b'"usage"', b'"tool_calls"', b'"reasoning_content"', b'"index":2'):
        assert sum(part in one for one in data) > 15, part
    assert sum(b'"tool_calls":[' in one and b'"content"' not in one for one in data) > 10
