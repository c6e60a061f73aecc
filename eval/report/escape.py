"""Text of strangers in Markdown, such that it is shown as it is and means nothing. Knows no report."""

from __future__ import annotations

import re

from eval.report.text import cut, one_line

__all__ = ["LONGEST", "code", "prose"]

LONGEST = 300
"""More characters of a sentence or a query are left out."""

SIGNS = re.compile(r"""[&<>"'`|*\\\[\]~#@!$^{}]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|:(?=\S)|(?<=[wW])\.""")
"""What Markdown, GitHub's mentions, references and formulas, HTML and bare addresses are made of. Underscores inside of
words and colons at their ends stay: they mean nothing, and names are full of them."""

GAP = "\u2060"
"""Joins words without a width; GitHub sees no mention and no reference across it."""


def code(text: str, *, limit: int = 80) -> str:
    """As code, on one line, good for a cell of a table; at most `limit` characters, empty for no text."""
    signs = SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", cut(one_line(text), limit))
    return f"<code>{signs}</code>" if signs else ""


def prose(text: str) -> str:
    """As plain text, on one line: a sentence, in which code would be ugly."""
    signs = SIGNS.sub(_harmless, cut(one_line(text), LONGEST))
    return re.sub(r"^(\d+)([.)])|^([-+=])", lambda start: f"{start[1] or ''}\\{start[2] or start[3]}", signs)


def _harmless(sign: re.Match[str]) -> str:
    number = f"&#{ord(sign[0])};"
    return f"{number}{GAP}" if sign[0] in "@#" else number
