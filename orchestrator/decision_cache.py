"""Remembers what the latest queries were classified as. Holds no text: a query is known by its hash alone.

Two queries are the same when they differ in nothing but blanks, line ends and the way in which Unicode composes
their letters; the second gets what the first got. Case counts, since a classifier may tell `US` from `us`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from unicodedata import normalize

from orchestrator.decision import Categorized

__all__ = ["DecisionCache", "query_key"]

MOST_ROWS = 1_000_000
"""Rows of posteriors held in all, about 84 bytes each: with hundreds of categories this is the bound."""

MOST_CHARACTERS = 20_000
"""Longer queries are not remembered: they hardly come twice, and hashing them would hold up the event loop."""


def query_key(query: str) -> bytes | None:
    """What queries that are the same have in common; None for one too long to be remembered."""
    if len(query) > MOST_CHARACTERS:
        return None
    plain = " ".join(normalize("NFC", query).split())
    # A command line may hand over bytes that are no text, as lone surrogates.
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()


class DecisionCache:
    """The first stage of the latest `size` queries, the longest unused forgotten first. For any thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows = 0
        self._known: OrderedDict[bytes, Categorized] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._known)

    def key(self, query: str) -> bytes | None:
        """Under which a query is kept; None where it is not."""
        return query_key(query) if self._size else None

    def get(self, key: bytes) -> Categorized | None:
        """What is known of a query."""
        with self._lock:
            if (found := self._known.get(key)) is not None:
                self._known.move_to_end(key)
            return found

    def put(self, key: bytes, stage: Categorized) -> None:
        """Remember what a query was classified as."""
        with self._lock:
            if (old := self._known.pop(key, None)) is not None:
                self._rows -= len(old.posterior)
            self._known[key] = stage
            self._rows += len(stage.posterior)
            while len(self._known) > self._size or self._rows > MOST_ROWS:
                _, oldest = self._known.popitem(last=False)
                self._rows -= len(oldest.posterior)
