"""Whether a request can be understood without what was asked before it, and what to read with it where it cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from orchestrator.conversation.turns import Turn

__all__ = ["context_of", "is_brief", "points_back"]

MOST_EARLIER = 3
"""Earlier requests that are read with one."""
MOST_CHARACTERS = 1000
"""Of each of them: what a request is about stands at its beginning."""
_BRIEF_WORDS = 3
_POINTING_WORDS = 9
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_POINTING = frozenset(
    {
        *("it", "its", "that", "this", "these", "those", "them", "they", "he", "she", "him", "her", "his", "their"),
        *("same", "again", "instead", "too", "also", "ones", "another", "other", "previous", "above"),
        *("continue", "proceed", "yes", "yeah", "yep", "no", "nope", "ok", "okay", "sure"),
    }
)
"""Words by which English points at what was said before."""


def is_brief(query: str) -> bool:
    """Whether it has too few words to tell what it is about."""
    return sum(1 for _ in islice(_WORD.finditer(query), _BRIEF_WORDS + 1)) <= _BRIEF_WORDS


def points_back(query: str) -> bool:
    """Whether a short request has a word that stands for something said before ("commit it", "and the other one?")."""
    words = [found[0].lower() for found in islice(_WORD.finditer(query), _POINTING_WORDS + 1)]
    return len(words) <= _POINTING_WORDS and any(word in _POINTING for word in words)


def context_of(turn: Turn) -> list[str]:
    """Earlier requests to read with this one, latest first: back to one that can be understood by itself."""
    return list(_back_to_a_whole_one(turn))


def _back_to_a_whole_one(turn: Turn) -> Iterator[str]:
    for earlier in islice(turn.earlier, MOST_EARLIER):
        yield earlier[:MOST_CHARACTERS]
        if not (is_brief(earlier) or points_back(earlier)):
            return
