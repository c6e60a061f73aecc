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
"""Rows of posteriors held in all, about 84 bytes each: with a thousand categories that is the bound."""

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
    """The first stage of the latest `size` queries, the longest unused forgotten first. For any thread.

    categories: how many rows a posterior has.
    """

    def __init__(self, size: int, *, categories: int) -> None:
        self._size = min(size, MOST_ROWS // max(categories, 1))
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
            self._known[key] = stage
            self._known.move_to_end(key)
            if len(self._known) > self._size:
                self._known.popitem(last=False)
