"""Cuts long texts into passages. Knows words, not the tokens of a model, and nothing of documents or indexes.

A word is what stands between white space; of scripts that are written without it (Chinese, Japanese) each character
counts as one, and so do 64 characters of what is no word at all (data, long addresses). No other word is ever cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["OVERLAP", "SIZE", "VERSION", "spans"]

VERSION = 2
"""Part of an index's key: raise it when the same text would be cut differently."""

SIZE = 160
"""Most words of a passage: with its title about what small embedders read, which is 256 tokens."""

OVERLAP = 30
"""Most words that two neighbours share, so that a sentence at the seam is whole in one of them."""

_DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_DENSE}][\u3001\u3002\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\u300d\u300f]*|[^\s{_DENSE}]{{1,64}}")
_SENTENCE = re.compile(r"[.!?][\"')\]\u201d\u2019]*\Z|[\u3002\uff01\uff1f][\u300d\u300f]?\Z")
_PARAGRAPH = re.compile(r"\n\s*\n")

_Span = tuple[int, int]


def spans(text: str, *, size: int = SIZE, overlap: int = OVERLAP) -> list[_Span]:
    """Start and end offsets of the passages of a text, in order, without white space at either end.

    Together they hold every word. A passage ends with a paragraph, a sentence or a line where it has one in its second
    half. Neighbours share at most `overlap` words, fewer where a sentence begins among them. `overlap` must be less
    than half of `size`.
    """
    words = [word.span() for word in _WORD.finditer(text)]
    found: list[_Span] = []
    first = 0
    while len(words) - first > size:
        end = _end(text, words, first + size // 2, first + size)
        found.append((words[first][0], words[end - 1][1]))
        first = _resume(text, words, end - overlap, end)
    if first < len(words):
        found.append((words[first][0], words[-1][1]))
    return found


def _end(text: str, words: Sequence[_Span], low: int, high: int) -> int:
    """Before which word a passage ends: the best place after `low`, and of equally good ones the last."""
    best, rank = high, 0
    for at in range(high, low, -1):
        found = _seam(text, words, at)
        if found > rank:
            best, rank = at, found
        if rank == _BEST:
            break
    return best


def _resume(text: str, words: Sequence[_Span], low: int, high: int) -> int:
    """With which word the next passage begins: the first of a sentence or line, else `low`."""
    return next((at for at in range(low, high) if _seam(text, words, at)), low)


_BEST = 3


def _seam(text: str, words: Sequence[_Span], at: int) -> int:
    """What ends before a word: 3 a paragraph, 2 a sentence, 1 a line, 0 none of them."""
    (start, end), between = words[at - 1], text[words[at - 1][1] : words[at][0]]
    if "\n" in between and _PARAGRAPH.search(between):
        return _BEST
    if _SENTENCE.search(text, start, end):
        return 2
    return 1 if "\n" in between else 0
