"""How faults look on the wire."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Sequence
from functools import lru_cache

import anyio
from aiohttp import web

from orchestrator.testing.fake_vllm.errors import error_object
from orchestrator.testing.faults import (
    Cut,
    Drop,
    Fault,
    Garbage,
    Hang,
    Hold,
    Html,
    Huge,
    Reset,
    Slow,
    Stall,
    Status,
    StreamError,
)

__all__ = ["DONE", "before", "hang_up", "pause", "refusal", "reset", "spoiled", "spoiled_whole"]

DONE = b"[DONE]"
# Closing a socket that lingers for no time resets the connection.
_NO_LINGER = struct.pack("ii", 1, 0)


def refusal(fault: Fault | None) -> web.Response | None:
    """The answer that stands for every other, where the fault is one."""
    if isinstance(fault, Status):
        body = error_object(fault.code, fault.message) if fault.body is None else fault.body
        headers = {"Content-Type": "application/json", **fault.headers}
        return web.Response(status=fault.code, body=body, headers=headers)
    if isinstance(fault, Html):
        return web.Response(status=fault.code, text=fault.page, content_type="text/html")
    return None


async def before(request: web.Request, fault: Fault | None) -> bool:
    """What the fault does before the first byte; whether the connection still stands afterwards."""
    match fault:
        case Hang():
            await anyio.sleep_forever()
        case Slow(seconds=seconds):
            await anyio.sleep(seconds)
        case Drop():
            hang_up(request)
            return False
        case Reset(after=None):
            reset(request.transport)
            return False
    return True


async def pause(fault: Fault | None, sent: int | None = None) -> None:
    """What the fault waits for after so many events; None: before the body of a whole answer."""
    if isinstance(fault, Hold) and sent in {fault.after, None}:
        await fault.release.wait()
    if isinstance(fault, Stall) and sent in {fault.after, None}:
        await (anyio.sleep_forever() if fault.seconds == math.inf else anyio.sleep(fault.seconds))


def spoiled(events: Sequence[bytes], fault: Fault | None) -> Sequence[bytes]:
    """The events as the fault leaves them."""
    match fault:
        case Cut(after=after) | Reset(after=int(after)):
            return events[:after]
        case Garbage(after=after, data=data):
            return [*events[:after], data, *events[after:]]
        case StreamError(after=after, message=message):
            return [*events[:after], error_object(500, message), DONE]
        case Huge(after=after, size_bytes=size):
            return [*events[:after], _huge(size, b"delta"), *events[after:]]
        case _:
            return events


def spoiled_whole(raw: bytes, fault: Fault | None) -> bytes:
    """A body as the fault leaves it."""
    match fault:
        case Garbage(data=data):
            return data
        case StreamError(message=message):
            return error_object(500, message)
        case Huge(size_bytes=size):
            return _huge(size, b"message")
        case _:
            return raw


# One value for all: what was sent is remembered.
@lru_cache(maxsize=4)
def _huge(size: int, part: bytes) -> bytes:
    head = b'{"id": "huge", "model": "huge", "choices": [{"index": 0, "' + part + b'": {"content": "'
    tail = b'"}, "finish_reason": null}]}'
    return head + b"x" * max(0, size - len(head) - len(tail)) + tail


def hang_up(request: web.Request) -> None:
    """Close the connection in an orderly way, once what was written is out."""
    if request.transport is not None:
        request.transport.close()


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Break the connection as the kernel does for a process that died."""
    if isinstance(transport, asyncio.Transport):
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
