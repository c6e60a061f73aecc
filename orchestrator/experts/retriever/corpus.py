"""What a corpus is made of: documents, and the passages that are indexed. Knows no files and no index."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

__all__ = ["Document", "Entry", "searchable"]


@dataclass(frozen=True, slots=True)
class Document:
    """One text with its name. pages: character offsets at which its pages begin, where it has pages."""

    id: str
    title: str
    text: str
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One passage of a document, as it is indexed: `start` and `end` are character offsets in its text."""

    document: Document
    start: int
    end: int

    @property
    def text(self) -> str:
        """The passage itself."""
        return self.document.text[self.start : self.end]

    @property
    def searchable(self) -> str:
        """What is embedded and matched: a passage without its title often lacks its subject."""
        return searchable(self.document.title, self.text)

    @property
    def page(self) -> int | None:
        """The page on which it begins, from 1; None where the document has no pages."""
        return bisect_right(self.document.pages, self.start) or None


def searchable(title: str, text: str) -> str:
    """What is embedded and matched of a passage."""
    return f"{title}\n{text}" if title else text
