"""What the readers of all formats share: their error, and text out of bytes."""

from __future__ import annotations

import codecs

__all__ = ["UnreadableFile", "decoded", "encodable"]


class UnreadableFile(Exception):
    """A file that is left out of its corpus. lines: where the problems are, from 1; none where it is the whole file."""

    def __init__(self, *problems: str, lines: tuple[int, ...] = ()) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.lines = lines


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, with one kind of line end.

    Raises:
        UnreadableFile: it is in another encoding.

    """
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"not UTF-8 (byte {content[error.start]:#04x} at {error.start})") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")


def encodable(text: str) -> str:
    """A text without what UTF-8 cannot hold: halves of characters, as broken fonts give them."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
