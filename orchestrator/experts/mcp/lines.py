"""Lines out of a stream of bytes, whatever comes: of one that is too long only the two ends stay. Does no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Lines", "Overlong"]

_KEPT = 128
"""Bytes of each end of a line that is too long: enough to see which request it answers."""
_FIRST_ID = re.compile(rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d{1,15})\s*,')
_LAST_ID = re.compile(rb',\s*"id"\s*:\s*(\d{1,15})\s*\}\s*\Z')


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlong:
    """A line that was too long. size: in bytes; head, tail: its first and its last ones."""

    size: int
    head: bytes
    tail: bytes

    @property
    def answers(self) -> int | None:
        """The request that it would have answered, where its own `id` stands first or last; None where it does not."""
        found = _FIRST_ID.match(self.head) or _LAST_ID.search(self.tail)
        return None if found is None else int(found[1])


class Lines:
    """Cuts what it is fed at line feeds. most: bytes of a line that are kept as they are."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[bytes] = []
        self._head = self._tail = b""
        self.size = 0
        """Bytes of the line that has not ended yet."""

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """The lines that end in these bytes, without their ends."""
        *ended, rest = data.split(b"\n")
        lines = [self._end(piece) for piece in ended]
        self._add(rest)
        return lines

    def _add(self, piece: bytes) -> None:
        self.size += len(piece)
        self._pieces.append(piece)
        if self.size > self._most:
            line = b"".join(self._pieces)
            self._head = self._head or line[:_KEPT]
            self._tail = (self._tail + line)[-_KEPT:]
            self._pieces.clear()

    def _end(self, piece: bytes) -> bytes | Overlong:
        self._add(piece)
        line: bytes | Overlong = b"".join(self._pieces)
        if self.size > self._most:
            line = Overlong(size=self.size, head=self._head, tail=self._tail)
        self._pieces.clear()
        self._head = self._tail = b""
        self.size = 0
        return line
