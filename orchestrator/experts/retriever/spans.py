"""Cuts long texts into passages. Knows characters, not tokens, and nothing of documents or indexes."""

import re

__all__ = ["OVERLAP", "SIZE", "VERSION", "spans"]

VERSION = 1
"""Part of an index's key: raise it when the same text would be cut differently."""

SIZE = 1000
"""Most characters of a passage; a text up to this length is one passage."""

OVERLAP = 150
"""Most characters that two neighbours share, so that a sentence at the seam is whole in one of them."""

# Where a passage may end, best first: after a paragraph, a sentence, a line, a word.
_ENDS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"[.!?][\"')\]]*\s+|[。！？]"),  # noqa: RUF001 - full-width marks end sentences too
    re.compile(r"\n"),
    re.compile(r"\s+"),
)


def spans(text: str, *, size: int = SIZE, overlap: int = OVERLAP) -> list[tuple[int, int]]:
    """Start and end offsets of the passages of a text, in order, without white space at either end.

    Together they hold every character but white space. `overlap` must be less than half of `size`.
    """
    found: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > size:
        end = _end(text, start + size // 2, start + size)
        found.append((start, end))
        start = _resume(text, end - overlap, end)
    found.append((start, len(text)))
    trimmed = (_trimmed(text, *span) for span in found)
    return [(start, end) for start, end in trimmed if start < end]


def _end(text: str, low: int, high: int) -> int:
    """The last good place to end a passage between two offsets; `high` where there is none."""
    for pattern in _ENDS:
        places = [match.end() for match in pattern.finditer(text, low, high)]
        if places:
            return places[-1]
    return high


def _resume(text: str, low: int, high: int) -> int:
    """The first good place to begin the next passage between two offsets: a sentence, else a word."""
    for pattern in _ENDS[1:]:
        match = pattern.search(text, low, high)
        if match is not None:
            return match.end()
    return low


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
