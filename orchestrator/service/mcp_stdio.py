"""An agent on stdin and stdout, until it closes stdin or the process is told to end.

The SDK reads stdin in a thread, which nothing can call back, so a process that is told to end would wait for a line
that may never come. Here stdin is read when there is something to read, and passed on to the SDK through a pipe: a
signal closes the pipe, and is to all that follows what the end of stdin is. Knows no tools.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio
import structlog

from orchestrator.service.mcp_server import AgentServer

__all__ = ["serve_stdio"]

PIECE_BYTES = 65_536
STDIN = 0

log = structlog.get_logger()


async def serve_stdio(server: AgentServer) -> None:
    """Serve one agent; calls under way when stdin ends or the signal comes are cancelled.

    A second signal ends the process at once. Nothing but the protocol gets to the stdout that the agent reads.
    """
    if sys.platform == "win32":  # no pipe there says when it can be read
        await server.run_stdio_async()
        return
    with _stdin_apart() as (source, sink):
        async with anyio.create_task_group() as group:
            reading = anyio.CancelScope()
            group.start_soon(_pass_on, source, sink, reading)
            group.start_soon(_until_told, reading)
            await server.run_stdio_async()
            group.cancel_scope.cancel()


@contextmanager
def _stdin_apart() -> Iterator[tuple[int, int]]:
    """The real stdin, and where to write what the SDK shall read as stdin; child processes get neither."""
    source = os.dup(STDIN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    taken, sink = os.pipe()
    os.set_blocking(sink, False)
    before, sys.stdin = sys.stdin, os.fdopen(taken, encoding="utf-8")
    try:
        yield source, sink
    finally:
        sys.stdin.close()
        sys.stdin = before
        os.dup2(source, STDIN)
        os.close(source)


async def _pass_on(source: int, sink: int, reading: anyio.CancelScope) -> None:
    """Everything from one file to the other, until the first ends or the scope is cancelled; then close the other."""
    try:
        with reading:
            while piece := await _piece(source):
                while piece:
                    await anyio.wait_writable(sink)
                    piece = piece[os.write(sink, piece) :]
    except BrokenPipeError:
        log.warning("mcp.stdin", error="nobody reads it any more")
    finally:
        os.close(sink)


async def _piece(source: int) -> bytes:
    with suppress(PermissionError):  # a plain file: it can always be read, and the event loop does not wait for such
        await anyio.wait_readable(source)
    return os.read(source, PIECE_BYTES)


async def _until_told(reading: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            reading.cancel()
            return
