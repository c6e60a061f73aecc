"""A server as a process of ours: started, spoken with on stdin and stdout, and ended with all its children.

In place of the SDK's own way: that one joins pieces of a line anew for every read, so that one reply of 100 MB, or a
server that writes without ever ending a line, holds up the whole service.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TextIO

import anyio
from anyio.abc import Process
from mcp.client.stdio import get_default_environment
from mcp.os.posix.utilities import terminate_posix_process_tree
from mcp.shared.message import SessionMessage
from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter

from orchestrator.config.kinds import McpServerSettings
from orchestrator.experts.mcp.lines import Lines, Overlong
from orchestrator.experts.mcp.streams import Hooks, Inbox, Outbox, Streams

__all__ = ["GRACE_S", "MOST_BYTES", "spoken_with"]

GRACE_S = 1.0
"""What a process gets to end in after its stdin has been closed, and again after it was told to end."""
MOST_BYTES = 4_194_304
"""Of one message: reading more at once would hold up others' requests."""
_MOST_ENDLESS = 67_108_864
"""Bytes without a line's end after which it is no server that talks."""
_MOST_STRANGE = 1000
"""Lines in a row that are no messages, after which the same holds."""
_REAP_S = 2.0
_LOOK_S = 0.01


@asynccontextmanager
async def spoken_with(
    server: McpServerSettings, *, folder: str, errlog: TextIO, hooks: Hooks
) -> AsyncIterator[Streams]:
    """A process in `folder`; it and its children are gone afterwards.

    Raises:
        OSError: it cannot be started.

    """
    command = [server.command or "", *server.args]
    process = await anyio.open_process(
        command, env=_environment(server), stderr=errlog, cwd=folder, start_new_session=True
    )
    outbox = Outbox(hooks)
    send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_read, process, send, hooks)
            group.start_soon(_write, process, outbox)
            yield Inbox(receive, hooks), outbox
            group.cancel_scope.cancel()
    finally:
        receive.close()
        await outbox.aclose()
        with anyio.CancelScope(shield=True):  # every wait inside is bounded
            await _end(process)


def _environment(server: McpServerSettings) -> dict[str, str]:
    """What is harmless of ours, and what the settings say.

    PATH begins with the running interpreter's folder, so that the command `python` is this environment's.
    """
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])  # noqa: PTH120 - text
    return {**get_default_environment(), "PATH": path, **server.env}


async def _read(process: Process, out: anyio.abc.ObjectSendStream[SessionMessage | Exception], hooks: Hooks) -> None:
    """Messages from stdout, until it ends or is no longer worth reading."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    lines = Lines(MOST_BYTES)
    strange = 0
    async with out:
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            while True:
                for line in lines.feed(await process.stdout.receive()):
                    if not (isinstance(line, Overlong) or line.strip()):
                        continue
                    item = _message(line)
                    strange = strange + 1 if isinstance(item, Exception) else 0
                    if strange > _MOST_STRANGE:
                        hooks.ended(f"it sent {strange} lines in a row that are no messages")
                        return
                    await out.send(item)
                if lines.size > _MOST_ENDLESS:
                    hooks.ended(f"it sent {lines.size:,} bytes without a line's end")
                    return


def _message(line: bytes | Overlong) -> SessionMessage | Exception:
    """The message of a line, or why it is none."""
    if isinstance(line, Overlong):
        message = f"a message of {line.size:,} bytes, more than {MOST_BYTES:,}"
        if line.answers is None:
            return ValueError(message)
        error = ErrorData(code=INTERNAL_ERROR, message=message)
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=line.answers, error=error))
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _write(process: Process, outbox: Outbox) -> None:
    """Messages to stdin."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - a pipe was asked for

    async def deliver(item: SessionMessage) -> None:
        await stdin.send(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

    await outbox.delivered(deliver)


async def _end(process: Process) -> None:
    """Close its stdin, which asks it to go; then tell it and its children; then kill what is left."""
    await _close(process.stdin)
    if not await _gone(process, GRACE_S) and sys.platform == "win32":
        process.kill()
    if sys.platform != "win32":
        await terminate_posix_process_tree(process, GRACE_S)
    await _gone(process, _REAP_S)
    await _close(process.stdout)
    # A descendant that left the group may hold a pipe open, and the event loop's transport with it.
    transport = getattr(getattr(process, "_process", None), "_transport", None)
    if transport is not None:
        with suppress(PermissionError):
            transport.close()


async def _close(stream: anyio.abc.AsyncResource | None) -> None:
    with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        if stream is not None:
            await stream.aclose()


async def _gone(process: Process, within_s: float) -> bool:
    """Whether it has ended. Not `wait`, which waits for the pipes too, and children may hold them."""
    with anyio.move_on_after(within_s):
        while process.returncode is None:  # noqa: ASYNC110 - there is no event, see above
            await anyio.sleep(_LOOK_S)
    return process.returncode is not None
