"""Splits a stream of server-sent events, as it comes in pieces, into the data of each event. Does no I/O.

Follows the parsing rules of the HTML standard ("Server-sent events", section 9.2.6): lines end in LF, CR or CRLF,
a colon starts a comment, an empty line ends an event, several data lines are joined by LF, and an event that
nothing ended is dropped. Fields other than `data` mean nothing here.
"""

__all__ = ["EventSplitter", "EventTooLong"]

_MAX_EVENT_BYTES = 8 * 1024 * 1024
_ONE_BYTES = 4096


def _is_one(piece: bytes) -> bool:
    """Whether a piece is just one event of one line of data, as nearly all are; the general way gives the same."""
    return (
        piece.startswith(b"data: ")
        and piece.endswith(b"\n\n")
        and piece.find(b"\n") == len(piece) - 2
        and b"\r" not in piece
        and len(piece) < _ONE_BYTES
    )


class EventTooLong(ValueError):
    """One event has more bytes than allowed: no chunk of an answer is that large."""


class EventSplitter:
    """Feed it bytes cut anywhere; it gives the data of the events that these completed.

    max_event_bytes: most bytes that an event may have before it ends, so that a broken server fills no memory.
    """

    def __init__(self, *, max_event_bytes: int = _MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def one(self, piece: bytes) -> bytes | None:
        """The data of a piece that is just one event, as nearly all are; None where it has to be fed."""
        if self._line or self._data or self._after_cr or not _is_one(piece):
            return None
        return piece[6:-2]

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that ends within this piece.

        Raises:
            EventTooLong: an event grew beyond the limit; the stream cannot be used any more.
        """
        if (data := self.one(piece)) is not None:
            return [data]
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if not piece:
            return []
        self._after_cr = piece.endswith(b"\r")
        return [data for line in piece.splitlines(keepends=True) if (data := self._take(line)) is not None]

    def _take(self, line: bytes) -> bytes | None:
        """Take in a line or a part of one; the event's data when it was the empty line that ends an event."""
        self._size += len(line)
        if self._size > self._max_event_bytes:
            raise EventTooLong(f"an event has more than {self._max_event_bytes} bytes")
        self._line.append(line)
        if not line.endswith((b"\n", b"\r")):
            return None
        whole = b"".join(self._line).rstrip(b"\r\n")
        self._line.clear()
        if whole:
            self._read(whole)
            return None
        data = b"\n".join(self._data) if self._data else None
        self._data.clear()
        self._size = 0
        return data

    def _read(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
