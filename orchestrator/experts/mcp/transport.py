"""Ways to an MCP server: a process on stdin and stdout, or streamable HTTP. Knows no tools and no experts."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

import anyio
import httpx2
import structlog
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from orchestrator.config.kinds import McpServerSettings

__all__ = ["ErrorLog", "Hooks", "Streams", "http", "stdio"]

log = structlog.get_logger()

_LOG_BYTES = 1_048_576  # size at which a running server's log starts anew
_TRIM_S = 0.25  # between two looks at that size: what a server can write meanwhile comes on top
_TAIL_BYTES = 4096  # how much of a log's end is read for its last line
_STRANGE = "Failed to parse JSONRPC message from server"  # the SDK's words
_CONNECT_S = 10.0  # for one TCP connection; how long an answer may take is the caller's affair


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a transport tells its user.

    ended: the server closed its stdout, or the SDK gave an HTTP server up.
    strange: the server sent what is no message; why it is none.
    """

    ended: Callable[[], None]
    strange: Callable[[Exception], None]


class _Read(Protocol):
    async def receive(self) -> SessionMessage | Exception: ...
    async def aclose(self) -> None: ...


class _Write(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...
    async def aclose(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


class ErrorLog:
    """The file that takes a server's stderr: since its last start, and not more than a megabyte for long.

    Where it cannot be written, what the server says is lost, and nothing else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost = False

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """The file, empty. Opened for appending, so that `trim` may cut it while the server writes."""
        with self._file() as file:
            yield file

    def last_line(self) -> str:
        """The last line that has text; empty when there is none."""
        if self._lost:
            return ""  # a file that is there all the same is of an earlier start
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def trim(self) -> None:
        """Empty the file when it has grown too long."""
        with suppress(OSError):
            if self._path.stat().st_size > _LOG_BYTES:
                os.truncate(self._path, 0)

    async def keep_short(self) -> None:
        """Trim until cancelled."""
        while True:
            await anyio.sleep(_TRIM_S)
            self.trim()

    def _file(self) -> TextIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(b"")
            file = self._path.open("a")
        except OSError as error:
            if not self._lost:
                log.warning("mcp.no_error_log", path=str(self._path), error=str(error))
            self._lost = True
            return Path(os.devnull).open("w")
        self._lost = False
        return file


class _Watched:
    """A read stream that tells when it ends: a server that died between two calls would go unnoticed.

    It holds messages only: what is none is told and dropped.
    """

    def __init__(self, stream: _Read, hooks: Hooks) -> None:
        self._stream = stream
        self._hooks = hooks

    @property
    def last_context(self) -> Context | None:
        """The sender's context variables, where the stream carries them: the SDK looks for them here."""
        context: Context | None = getattr(self._stream, "last_context", None)
        return context

    async def receive(self) -> SessionMessage | Exception:
        try:
            while isinstance(item := await self._stream.receive(), Exception):
                self._hooks.strange(item)
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._hooks.ended()
            raise
        return item

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


Streams = tuple[_Watched, _Write]


@asynccontextmanager
async def stdio(server: McpServerSettings, *, folder: Path, errors: ErrorLog, hooks: Hooks) -> AsyncIterator[Streams]:
    """A process in `folder`; it and its children are gone afterwards.

    Its PATH begins with the running interpreter's folder, so that the command `python` is this environment's.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    parameters = StdioServerParameters(
        command=server.command or "", args=list(server.args), env={"PATH": path, **server.env}, cwd=folder
    )
    logging.getLogger(stdio_client.__module__).addFilter(_not_strange)  # once, however often it is added
    with errors.opened() as errlog:
        async with anyio.create_task_group() as group:
            group.start_soon(errors.keep_short)
            async with stdio_client(parameters, errlog=errlog) as (read, write):
                yield _Watched(read, hooks), write
            group.cancel_scope.cancel()


@asynccontextmanager
async def http(server: McpServerSettings, *, hooks: Hooks) -> AsyncIterator[Streams]:
    """A streamable HTTP server."""
    headers = {name: value.get_secret_value() for name, value in server.headers.items()}
    timeout = httpx2.Timeout(_CONNECT_S, read=None)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout) as client,
        streamable_http_client(server.url or "", http_client=client) as (read, write),
    ):
        yield _Watched(read, hooks), write


def _not_strange(record: logging.LogRecord) -> bool:
    """All but the SDK's traceback for each line that is no message: `Hooks.strange` tells of them."""
    return record.msg != _STRANGE
