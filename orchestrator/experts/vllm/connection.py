"""One HTTP/1.1 connection to a model server: a request goes out, its answer comes in pieces. Knows no expert.

The parser is httptools (llhttp, which uvicorn serves with); sockets and TLS are the event loop's. A general client
costs more than all the rest of a request (docs/performance.md), for what no request here needs: cookies, redirects,
proxies, decompression, forms.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import cast
from urllib.parse import unquote, urlsplit

import httptools

__all__ = [
    "TICK_S",
    "ConnectFailed",
    "ConnectTimeout",
    "Connection",
    "Disconnected",
    "HttpError",
    "Malformed",
    "Origin",
    "ReadTimeout",
    "Sink",
    "connect",
    "request_head",
]

MAX_HEAD_BYTES = 64 * 1024
"""Most bytes before an answer's body begins."""
MOST_UNREAD_BYTES = 256 * 1024
"""Above this the server has to wait until the answer has been read: the back-pressure."""
TICK_S = 0.002
"""Event loops round times, so that a timer may be early by so much."""

Sink = Callable[[bytes], bool]
"""Takes a piece of a body as it comes, without a task being woken; false where it did not."""


class HttpError(Exception):
    """Something between us and a server went wrong, below the meaning of an answer."""


class ConnectFailed(HttpError):
    """Nobody takes connections there."""


class ConnectTimeout(HttpError):
    """Nobody took the connection in time."""


class Disconnected(HttpError):
    """The server closed the connection before the end of its answer."""


class ReadTimeout(HttpError):
    """Nothing came for too long."""


class Malformed(HttpError):
    """What came is not HTTP, or more of it than allowed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go: the part of an address that decides it."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Origin:
        """That of a checked http:// or https:// address."""
        parts = urlsplit(url)
        tls = parts.scheme.lower() == "https"
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls)


def request_head(url: str, headers: dict[str, str]) -> bytes:
    """Everything of a POST before the value of its last header, which is the length of its body.

    A user name and a password in the address become basic credentials, as everywhere on the web.

    Raises:
        ValueError: a header has a line end in it.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    fields = {
        "Host": host.encode("idna").decode() if not host.isascii() else host,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "User-Agent": "expert-orchestrator",
        "Content-Type": "application/json",
        **({"Authorization": "Basic " + b64encode(unquote(user).encode()).decode()} if at else {}),
        **headers,
    }
    lines = [f"POST {parts.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if any("\r" in line or "\n" in line for line in lines):
        message = "a header has a line end in it"
        raise ValueError(message)
    return "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def connect(origin: Origin, limit_s: float) -> Connection:
    """A new connection.

    Raises:
        ConnectFailed, ConnectTimeout: there is none.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limit_s):
            _, protocol = await loop.create_connection(
                lambda: Connection(loop), origin.host, origin.port, ssl=_tls() if origin.tls else None
            )
    except TimeoutError as error:
        raise ConnectTimeout(f"no connection within {limit_s:g} s") from error
    except OSError as error:
        raise ConnectFailed(str(error) or type(error).__name__) from error
    return protocol


class Connection(asyncio.Protocol):
    """One exchange after the other: `send`, then `head`, then `read` until it gives nothing.

    status, headers: of the answer whose head came last; names of headers in lower case.
    used: whether an exchange has ended on it. heard: whether anything of this exchange's answer has come.
    idle_since: on the loop's clock, kept by the pool.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._limit_at = 0.0
        self._limit_s = 0.0
        self._deadline = math.inf
        self._sink: Sink | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self._paused = False
        self._head_bytes = 0
        self._error: HttpError | None = None
        self._headed = self._ended = self._lasting = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.used = self.heard = False
        self.idle_since = 0.0

    # What the pool and the client call

    @property
    def open(self) -> bool:
        """Whether nothing has ended it."""
        return self._error is None and self._transport is not None

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow: the last one ended well, and neither side wants to close."""
        return self.open and self._ended and self._lasting and not self._pieces

    def send(self, request: bytes) -> None:
        """Begin an exchange; raises Disconnected where the connection has ended."""
        if self._error is not None or self._transport is None:
            raise self._error or Disconnected("the connection is closed")
        self._headed = self._ended = self._lasting = self.heard = False
        self._head_bytes = 0
        self.headers = {}
        self._transport.write(request)

    async def head(self, limit_s: float) -> None:
        """Wait for status and headers; raises HttpError."""
        while not self._headed:
            await self._news(limit_s)

    async def read(self, limit_s: float, deadline: float = math.inf, sink: Sink | None = None) -> bytes:
        """The next piece of the body, empty at its end; raises HttpError.

        limit_s: most seconds without anything. deadline: on the event loop's clock. sink: is offered the pieces that
        come while this waits; one that it does not take is the next.
        """
        pieces = self._pieces
        while not pieces:
            if self._ended:
                return b""
            await self._news(limit_s, deadline, sink)
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece

    @property
    def ended(self) -> bool:
        """Whether the whole answer has come, read or not."""
        return self._ended

    def close(self) -> None:
        """End it at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()
        self._end(Disconnected("closed here"))

    async def _news(self, limit_s: float, deadline: float = math.inf, sink: Sink | None = None) -> None:
        """Wait until something has come that the sink does not take."""
        if self._error is not None:
            raise self._error
        self._limit_s, self._deadline, self._sink = limit_s, deadline, sink
        self._limit_at = min(self._loop.time() + limit_s, deadline)
        if self._timer is None or self._limit_at < self._timer.when():
            self._set_timer()
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = self._sink = None

    def _set_timer(self) -> None:
        # One timer lasts for many waits: setting one for each would cost more than reading a chunk does.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._limit_at, self._look_at_limit)

    def _look_at_limit(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() + TICK_S < self._limit_at:
            self._set_timer()
            return
        self._waiter.set_exception(ReadTimeout("nothing came for too long"))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end(self, error: HttpError) -> None:
        """Nothing comes any more; whoever waits learns why, unless the answer was complete."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._error is None:
            self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._error)

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._error is not None:
            return
        self.heard = True
        if not self._headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(f"not HTTP: {error}")
            return
        if not self._headed and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(f"more than {MAX_HEAD_BYTES} bytes of headers")
            return
        if self._unread > MOST_UNREAD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._sink is None or self._pieces or self._ended:
            self._wake()
        else:
            self._limit_at = min(self._loop.time() + self._limit_s, self._deadline)

    def _refuse(self, why: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end(Malformed(why))

    def eof_received(self) -> None:
        self._closed()

    def connection_lost(self, error: Exception | None) -> None:
        self._closed(error)

    def _closed(self, error: Exception | None = None) -> None:
        # An answer without a length lasts until the connection ends; any other one was cut.
        if error is None and self._headed and not self._ended and not self._framed:
            self._ended = True
            self._wake()
        self._end(Disconnected(str(error) if error else "the server closed the connection"))

    @property
    def _framed(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is there; one that only announces another (1xx) is passed over."""
        self.status = self._parser.get_status_code()
        if self.status < 200:  # noqa: PLR2004 - HTTP's informational answers
            self.headers = {}
            return
        self._headed = True

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._sink is not None and not self._pieces and self._sink(piece):
            return
        self._pieces.append(piece)
        self._unread += len(piece)

    def on_message_complete(self) -> None:
        """The answer has ended, unless it was one that announces another."""
        if self._headed:
            self._ended = self.used = True
            self._lasting = self._parser.should_keep_alive()
