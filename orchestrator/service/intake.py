"""Connections of the REST service, with bounds on what a client sends: bytes of headers, and time for a whole request.

The HTTP server has neither of these. They are kept below the application, since a request whose headers never end does
not get that far; a request that comes in one piece costs two additions and a comparison. Knows no route.
"""

from __future__ import annotations

import math
import re
import secrets
from http import HTTPStatus
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.service.direct import EXTENSION, Direct
from orchestrator.service.errors import plain_error

__all__ = ["Connection", "IntakeConfig"]

REQUEST_ID_HEADER = b"x-request-id"
"""Echoed in every response, and made up where the client sends none."""
_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_LINGER_BYTES = 1_048_576
"""Read and dropped after a refusal: hanging up on a client that still sends would take the answer away from it."""
_LINE_BYTES = 4
"""Of a header, beside its name and its value: colon, blank, end of line."""


class IntakeConfig(Config):
    """The server's configuration, with the bounds.

    max_header_bytes: of request line and headers together. body_timeout_s: from a request's first byte, or a
    connection's beginning, to the request's end.
    """

    def __init__(self, app: Any, *, max_header_bytes: int, body_timeout_s: float, **options: Any) -> None:
        self.max_header_bytes = max_header_bytes
        self.body_timeout_s = body_timeout_s
        super().__init__(app, http=Connection, **options)


class HeadersTooLarge(Exception):
    """Ends the parsing of a request."""


class Connection(HttpToolsProtocol):
    """One client's connection. `since`: when the request under way began to come, infinite while none does."""

    config: IntakeConfig

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.since = math.inf
        self.url = b""
        self.headers = []
        self._most = self.config.max_header_bytes
        self._piece = 0
        self._head = 0
        self._in_head = True
        self._whole = True
        self._linger: int | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self._linger is not None:
            self._drop(len(data))
            return
        self._piece = len(data)
        if self._in_head:
            self._head += self._piece
        super().data_received(data)
        if not self._whole:
            self._go_on()

    def on_message_begin(self) -> None:
        self._whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._too_large():
            raise HeadersTooLarge
        super().on_headers_complete()
        cycle: Any = self.cycle
        cycle.default_headers = [*cycle.default_headers, (REQUEST_ID_HEADER, _request_id(self.headers))]
        extensions: Any = {EXTENSION: Direct(cycle)}
        self.scope["extensions"] = extensions

    def on_message_complete(self) -> None:
        self._whole, self._in_head = True, True
        self._head = 0
        self.since = math.inf
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and headers that are too long, which the parser reports in the same way."""
        if self._too_large():
            self._refuse_headers()
        else:
            self.refuse(400, msg)

    def expire(self, now: float) -> None:
        """Give up on a client whose request has been coming for too long, and let go of one that was refused."""
        if self._linger is not None:
            self.transport.close()
        elif now - self.since > self.config.body_timeout_s:
            self.refuse(408, f"No whole request within {self.config.body_timeout_s:g} s (serve.body_timeout_s).")

    def refuse(self, status: int, message: str) -> None:
        """Say why, unless an answer is under way or nothing was asked, and hang up soon."""
        cycle: Any = self.cycle  # none before the first request
        answering = cycle is not None and cycle.response_started and not cycle.response_complete
        if self.transport.is_closing():
            return
        if answering or self._whole:
            self.transport.close()
            return
        self._linger = _LINGER_BYTES
        self.transport.write(_answer(status, message, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if cycle is not None:  # the application waits for more of this request, or of none
            cycle.disconnected = True
            cycle.message_event.set()

    def _drop(self, count: int) -> None:
        self._linger = (self._linger or 0) - count
        if self._linger < 0:
            self.transport.close()

    def _go_on(self) -> None:
        """After a piece that did not end its request."""
        if math.isinf(self.since):
            self.since = self.loop.time()
        if self._in_head and self._head > self._most and self._linger is None:
            self._refuse_headers()

    def _refuse_headers(self) -> None:
        self.refuse(431, f"The headers are larger than {self._most} bytes (serve.max_header_bytes).")

    def _too_large(self) -> bool:
        """Of headers that are whole; they are counted where they may be, which is seldom."""
        if max(self._head, self._piece) <= self._most:
            return False
        lines = sum(len(name) + len(value) + _LINE_BYTES for name, value in self.headers)
        return len(self.url) + lines > self._most


def _request_id(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The client's own where it sent one that can be echoed, else a new one."""
    for name, value in headers:
        if name == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(value):
            return value
    return b"req_" + secrets.token_hex(12).encode()


def _answer(status: int, message: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    response = plain_error(status, message, headers={"connection": "close"})
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in (*headers, *response.raw_headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body)
