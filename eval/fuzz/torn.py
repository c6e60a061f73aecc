"""A model server whose answers are drawn from the seed that a request names: odd but right, or broken in any way.

It writes bytes to its sockets, since no server of HTTP would send what this one sends.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import SocketAttribute, SocketStream

from eval.fuzz.answers import OK, chunks_of, cut_up, framed, head, whole, written
from eval.fuzz.tears import STREAM_TEARS, WHOLE_TEARS

__all__ = ["RIGHT", "TornServer", "torn_server", "wanted"]

RIGHT = "right"
"""The kind of an answer that is odd in its framing alone."""
_WANTED = re.compile(rb"answer (\w+) (\d+)")
_STALL_S = 30.0
"""Longer than anybody waits."""
_BREATH_S = 0.002
"""Between pieces now and then, so that they come apart."""


def wanted(kind: str, seed: int) -> str:
    """What to ask for an answer of this kind and seed. kind: `right` or `torn`."""
    return f"answer {kind} {seed}"


@dataclass(slots=True)
class TornServer:
    """The running server. asked: how often for text. kinds: of the answers, by how they were torn."""

    url: str = ""
    asked: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


@asynccontextmanager
async def torn_server() -> AsyncIterator[TornServer]:
    """The server, on a free port."""
    server = TornServer()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"  # noqa: S610 - of anyio

    async def serve(stream: SocketStream) -> None:
        async with stream:
            try:
                await _serve(stream, server)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield server
        group.cancel_scope.cancel()


async def _serve(stream: SocketStream, server: TornServer) -> None:
    """The requests of one connection, until an answer ends it."""
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            held += await stream.receive()
        head, _, held = held.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(held) < length:
            held += await stream.receive()
        body, held = held[:length], held[length:]
        if not body:  # a probe
            await stream.send(OK + b"content-length: 2\r\n\r\n{}")
            continue
        found = _WANTED.findall(body)
        kind, seed = (found[-1][0].decode(), int(found[-1][1])) if found else (RIGHT, 0)
        server.asked += 1
        chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        if not await _answer(stream, server, kind, streamed=bool(json.loads(body).get("stream")), chance=chance):
            return


async def _answer(
    stream: SocketStream, server: TornServer, kind: str, *, streamed: bool, chance: random.Random
) -> bool:
    """Send an answer; whether another one may follow on the connection."""
    chunks = list(chunks_of(chance)) if streamed else []
    if kind == RIGHT:
        data = [written(chunk, chance) for chunk in chunks]
        raw = framed(data, chance) if streamed else whole(chance)
        await _send(stream, head(streamed=streamed) + cut_up(raw, chance) + b"0\r\n\r\n", chance)
        return True
    tear = chance.choice(STREAM_TEARS if streamed else WHOLE_TEARS)
    name = tear.__name__.strip("_")
    server.kinds[name] = server.kinds.get(name, 0) + 1
    for piece in tear(chunks, chance) if streamed else tear([], chance):
        if piece is None:
            await anyio.sleep(_STALL_S)
        else:
            await _send(stream, piece, chance)
    return False


async def _send(stream: SocketStream, raw: bytes, chance: random.Random) -> None:
    size = chance.choice((1, 7, 100, 5_000, 10**7)) if len(raw) < 4_000 else chance.choice((4_000, 10**7))
    for at in range(0, len(raw), size):
        await stream.send(raw[at : at + size])
        if chance.random() < 0.02:
            await anyio.sleep(_BREATH_S)
