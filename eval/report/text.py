"""Text of strangers as a page may show it: what no reader would see, or would see turned around, is spelled out."""

from __future__ import annotations

import unicodedata

__all__ = ["cut", "one_line", "shown"]

KEPT = frozenset("\n\t")
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that reorder the text around them; right-to-left writing does without."""
UNSEEN = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})
"""Unicode categories of control characters, halves of surrogate pairs, no characters at all, and odd line ends."""


def shown(text: str) -> str:
    r"""`text` with control characters, lone surrogates and the like as `\x07` or `\ud800`: good UTF-8 and XML."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(char)[1:-1] if _unseen(char) else char for char in text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """As `shown`, with every run of white space as one space."""
    return " ".join(shown(text).split())


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; the last is an ellipsis where some are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _unseen(char: str) -> bool:
    return char not in KEPT and (char in TURNING or unicodedata.category(char) in UNSEEN)
