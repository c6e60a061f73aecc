"""The way to one client's socket beneath ASGI: for answers of the hot path, where messages would cost more than bytes.

uvicorn's own cycle stays in charge of the connection: what is written here is noted there, so that keep-alive,
pipelining, shut-down and `receive` go on as they do for every other answer. Where a client is slow, or gone, the
ordinary way is taken, which waits or drops.
"""

from __future__ import annotations

from typing import Any

from starlette.types import Scope

__all__ = ["EXTENSION", "Direct", "direct_of"]

EXTENSION = "orchestrator.direct"
_OK = b"HTTP/1.1 200 OK\r\n"


class Direct:
    """Writes one answer of status 200. cycle: uvicorn's, of the request.

    Each method says whether it wrote; where it did not, the ASGI message has to be sent.
    """

    __slots__ = ("_cycle", "_write")

    def __init__(self, cycle: Any) -> None:
        self._cycle = cycle
        self._write = cycle.transport.write

    def whole(self, head: bytes, body: bytes) -> bool:
        """An answer that is there as a whole. head: its headers, each with its line end."""
        cycle = self._cycle
        if self._hindered or cycle.response_started:
            return False
        cycle.response_started = True
        self._write(b"%b%bcontent-length: %d\r\n\r\n%b" % (self._begin(), head, len(body), body))
        self._complete()
        return True

    def start(self, head: bytes) -> bool:
        """The beginning of an answer whose length is not known."""
        cycle = self._cycle
        if self._hindered or cycle.response_started or cycle.scope["http_version"] != "1.1":
            return False
        cycle.response_started = cycle.chunked_encoding = True
        self._write(b"%b%btransfer-encoding: chunked\r\n\r\n" % (self._begin(), head))
        return True

    def piece(self, body: bytes) -> bool:
        """A further piece of it."""
        if self._hindered or not self._cycle.chunked_encoding:
            return False
        self._write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    @property
    def _hindered(self) -> bool:
        cycle = self._cycle
        return bool(cycle.disconnected or cycle.flow.write_paused)

    def _begin(self) -> bytes:
        cycle = self._cycle
        cycle.waiting_for_100_continue = False
        fields = b"".join([b"%b: %b\r\n" % field for field in cycle.default_headers])
        return _OK + fields if cycle.keep_alive else _OK + fields + b"connection: close\r\n"

    def _complete(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def direct_of(scope: Scope) -> Direct | None:
    """That of a request; None under another server, and in tests."""
    found: Direct | None = scope.get("extensions", {}).get(EXTENSION)
    return found
