"""One connection, one request, one answer: what a client sees on the wire, within a time."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import anyio
import httptools

__all__ = ["Seen", "exchange"]

_PIECE = 65_536
_LAST_OF_1XX = 199


@dataclass(slots=True)
class Seen:
    """An answer. status: 0 where none came. whole: whether HTTP has it for complete. late: whether time was up."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    late: bool = False
    malformed: str = ""
    took_s: float = 0.0

    @property
    def media(self) -> str:
        """The type of the body."""
        return self.headers.get("content-type", "").partition(";")[0]


class _Reading:
    """What the parser tells, the interim answers left out."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._pieces: list[bytes] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._seen.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._seen.status = self.parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        seen = self._seen
        if seen.whole:
            return
        if seen.status <= _LAST_OF_1XX:
            seen.status, seen.headers = 0, {}
        else:
            seen.whole = True
        self.gather()

    def gather(self) -> None:
        self._seen.body += b"".join(self._pieces)
        self._pieces.clear()


async def exchange(url: str, raw: bytes, *, within_s: float, hangs_up: bool = False) -> Seen:
    """Send these bytes and read the answer. hangs_up: the client ends sending after them.

    Raises:
        OSError: nobody takes connections.

    """
    parts = urlsplit(url)
    seen, started = Seen(), anyio.current_time()
    reading = _Reading(seen)
    async with await anyio.connect_tcp(parts.hostname or "", parts.port or 80) as stream:
        with anyio.move_on_after(within_s) as scope:
            try:
                await stream.send(raw)
                if hangs_up:
                    await stream.send_eof()
                while not seen.whole:
                    reading.parser.feed_data(await stream.receive(_PIECE))
            except anyio.EndOfStream:
                # Without a length an answer ends with its connection.
                seen.whole = seen.status != 0 and not seen.headers.keys() & {"content-length", "transfer-encoding"}
            except (anyio.BrokenResourceError, ssl.SSLError):
                pass
            except httptools.HttpParserError as error:
                seen.malformed = str(error)
    reading.gather()
    seen.late = scope.cancelled_caught
    seen.took_s = anyio.current_time() - started
    return seen
