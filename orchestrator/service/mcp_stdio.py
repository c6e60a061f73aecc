"""An agent on stdin and stdout, until it closes stdin or the process is told to end.

Whatever reads stdin in a thread cannot be called back, and a process that is told to end would wait for a line that may
never come. So stdin is read when there is something to read, and stdout written when there is room; a signal is to all
that follows what the end of stdin is. Knows no tools.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from orchestrator.service.mcp_lines import Lines, NoMessage, line_of, read_line
from orchestrator.service.mcp_server import AgentServer

__all__ = ["serve_stdio"]

PIECE_BYTES = 65_536
WRITE_BYTES = getattr(select, "PIPE_BUF", 512)
"""So many go into a pipe that has room without waiting for its reader."""
LAST_WORDS_S = 2.0
"""For what is left to be written once the agent has been served; it may have stopped reading."""
STDIN, STDOUT, STDERR = 0, 1, 2

log = structlog.get_logger()


async def serve_stdio(server: AgentServer, *, longest: int) -> None:
    """Serve one agent; calls under way when stdin ends or the signal comes are cancelled.

    A second signal ends the process at once. Nothing but the protocol gets to the stdout that the agent reads.
    longest: bytes of a line of the agent; a longer one is answered with an error.
    """
    if sys.platform == "win32":  # no pipe there says when it can be read
        await server.run_stdio_async()
        return
    incoming, messages = anyio.create_memory_object_stream[SessionMessage | Exception]()
    answers, outgoing = anyio.create_memory_object_stream[SessionMessage]()
    with _apart() as (source, sink):
        async with anyio.create_task_group() as group:
            reading, written = anyio.CancelScope(), anyio.Event()
            group.start_soon(_read, source, incoming, answers.clone(), longest, reading)
            group.start_soon(_write, sink, outgoing, written, reading)
            group.start_soon(_until_told, reading)
            await server.serve_messages(messages, answers)
            reading.cancel()
            with anyio.move_on_after(LAST_WORDS_S):
                await written.wait()
            group.cancel_scope.cancel()


@contextmanager
def _apart() -> Iterator[tuple[int, int]]:
    """The real stdin and stdout; inside, the process and its children read nothing, and print to stderr."""
    source, sink = os.dup(STDIN), os.dup(STDOUT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(STDERR, STDOUT)
    try:
        yield source, sink
    finally:
        sys.stdout.flush()
        for real, standard in ((source, STDIN), (sink, STDOUT)):
            os.dup2(real, standard)
            os.close(real)


async def _read(
    source: int,
    messages: MemoryObjectSendStream[SessionMessage | Exception],
    answers: MemoryObjectSendStream[SessionMessage],
    longest: int,
    reading: anyio.CancelScope,
) -> None:
    """Pass on what the agent sends, until it ends or the scope is cancelled; what is no message is answered here."""
    lines = Lines(longest=longest)

    async def take(line: bytes | None) -> None:
        try:
            message = read_line(line, longest=longest)
        except NoMessage as error:
            await answers.send(SessionMessage(error.answer))
        else:
            await messages.send(SessionMessage(message))

    async with messages, answers:
        with reading:
            while piece := await _piece(source):
                for line in lines.feed(piece):
                    await take(line)
            for line in lines.end():
                await take(line)


async def _write(
    sink: int, outgoing: MemoryObjectReceiveStream[SessionMessage], written: anyio.Event, reading: anyio.CancelScope
) -> None:
    """Write what the agent is sent, until there is no more; an agent that does not listen any more is gone."""
    gone = False
    async with outgoing:
        async for sent in outgoing:
            try:
                if not gone:
                    await _put(sink, line_of(sent.message))
            except BrokenPipeError:
                log.warning("mcp.stdout", error="nobody reads it any more")
                gone = True
                reading.cancel()
    written.set()


async def _piece(source: int) -> bytes:
    with suppress(PermissionError):  # a plain file: it can always be read, and the event loop does not wait for such
        await anyio.wait_readable(source)
    return os.read(source, PIECE_BYTES)


async def _put(sink: int, line: bytes) -> None:
    left = memoryview(line)
    while left:
        with suppress(PermissionError):  # as above
            await anyio.wait_writable(sink)
        left = left[os.write(sink, left[:WRITE_BYTES]) :]


async def _until_told(reading: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            reading.cancel()
            return
