"""The passages of a corpus on disk, memory-mapped: a start reads no corpus, and a search only what it has found.

Knows how they are laid out, not where they come from or who searches them.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import orjson

from orchestrator.experts.retriever.corpus import Document, Entry, searchable
from orchestrator.experts.retriever.published import Published
from orchestrator.experts.retriever.sources import Skipped
from orchestrator.experts.retriever.spans import spans

__all__ = ["Hashes", "Located", "Passages", "write_passages"]

Hashes = npt.NDArray[np.bytes_]
"""S16 [n]: of what is embedded of each passage; equal ones have equal vectors."""

_TEXTS, _ROWS, _DOCUMENTS, _ENDS, _HASHES = "texts.utf8", "rows.npy", "documents.jsonl", "documents.npy", "hashes.npy"
_START, _STOP, _DOCUMENT, _FROM, _TO, _PAGE = range(6)  # columns of rows: bytes in texts, document, characters, page


class Located:
    """A passage with its place: `start` and `end` are character offsets in its document, `page` from 1 or None."""

    __slots__ = ("document", "end", "page", "start", "text", "title")

    def __init__(self, *, document: str, title: str, text: str, start: int, end: int, page: int | None) -> None:
        self.document = document
        self.title = title
        self.text = text
        self.start = start
        self.end = end
        self.page = page


class Passages:
    """What `write_passages` has written. name: of this state of the corpus; skipped: its files that are not in it."""

    def __init__(self, whole: Published) -> None:
        self.name = whole.folder.name
        self.skipped = tuple(Skipped(*entry) for entry in whole.facts["skipped"])
        self.hashes: Hashes = np.load(whole.folder / _HASHES, mmap_mode="r")
        self._rows: npt.NDArray[np.int64] = np.load(whole.folder / _ROWS, mmap_mode="r")
        self._ends: npt.NDArray[np.int64] = np.load(whole.folder / _ENDS, mmap_mode="r")
        self._texts = _mapped(whole.folder / _TEXTS)
        self._documents = _mapped(whole.folder / _DOCUMENTS)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def documents(self) -> int:
        """How many documents they are of."""
        return len(self._ends) - 1

    def located(self, row: int) -> Located:
        """One passage."""
        at = self._rows[row].tolist()
        document, title = self._named(at[_DOCUMENT])
        return Located(
            document=document,
            title=title,
            text=_text(self._texts, at[_START], at[_STOP]),
            start=at[_FROM],
            end=at[_TO],
            page=at[_PAGE] or None,
        )

    def searchable(self, row: int) -> str:
        """What is embedded and matched of one passage."""
        at = self._rows[row].tolist()
        return searchable(self._named(at[_DOCUMENT])[1], _text(self._texts, at[_START], at[_STOP]))

    def all_searchable(self) -> Iterator[str]:
        """That of each, in order."""
        return (self.searchable(row) for row in range(len(self)))

    def longest(self, rows: npt.NDArray[np.intp]) -> int:
        """Of these rows, that of the longest text."""
        lengths = self._rows[rows, _STOP] - self._rows[rows, _START]
        return int(rows[int(np.argmax(lengths))])

    def lengths(self) -> npt.NDArray[np.int64]:
        """Bytes of each text."""
        return np.asarray(self._rows[:, _STOP] - self._rows[:, _START])

    def _named(self, document: int) -> tuple[str, str]:
        start, stop = self._ends[document : document + 2].tolist()
        name, title = orjson.loads(_text(self._documents, start, stop))
        return name, title


def write_passages(documents: Iterable[Document], folder: Path, *, size: int, overlap: int) -> int:
    """Cut documents into passages and write them; how many there are. Blocking; raises OSError.

    Each document is in memory only while it is cut.
    """
    rows, ends, hashes = array("q"), array("q", [0]), bytearray()
    written = 0
    with (folder / _TEXTS).open("wb") as texts, (folder / _DOCUMENTS).open("wb") as names:
        for number, document in enumerate(documents):
            ends.append(ends[-1] + _put(names, orjson.dumps([document.id, document.title]) + b"\n"))
            for start, end in spans(document.text, size=size, overlap=overlap):
                entry = Entry(document, start, end)
                length = _put(texts, entry.text.encode())
                rows.extend((written, written + length, number, start, end, entry.page or 0))
                written += length
                hashes += hashlib.blake2b(entry.searchable.encode(), digest_size=16).digest()
    np.save(folder / _ROWS, np.frombuffer(rows, dtype=np.int64).reshape(-1, 6))
    np.save(folder / _ENDS, np.frombuffer(ends, dtype=np.int64))
    np.save(folder / _HASHES, np.frombuffer(bytes(hashes), dtype="S16"))
    return len(rows) // 6


def _put(file: IO[bytes], content: bytes) -> int:
    file.write(content)
    return len(content)


def _mapped(path: Path) -> npt.NDArray[np.uint8]:
    return np.memmap(path, dtype=np.uint8, mode="r")


def _text(mapped: npt.NDArray[np.uint8], start: int, stop: int) -> Any:
    return mapped[start:stop].tobytes().decode()
