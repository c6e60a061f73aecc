"""Whether a request can be understood without what was asked before it, and what to read with it where it cannot.

Routers learn from whole requests; "are you sure about this?" looks like small talk to them, whatever it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from orchestrator.conversation.turns import Turn

__all__ = ["Dependence", "context_of", "dependence"]

Dependence = Literal["bare", "pointing", "none"]
"""Of a request on what was asked before it. bare: it has no word that tells a subject ("why is that?", "go on").
pointing: it has one at most beside a word that stands for something said before ("commit it", "and in Spanish?")."""

MOST_EARLIER = 3
"""Earlier requests that are read with one."""
MOST_CHARACTERS = 1000
"""Of each of them: what a request is about stands at its beginning."""
_BARE_WORDS = 12
_POINTING_WORDS = 8
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_POINTING = frozenset(
    {
        *("it", "its", "that", "that's", "this", "these", "those", "them", "they", "same", "again", "instead"),
        *("ones", "another", "other", "previous", "above"),
    }
)
"""Words by which English points at what was said before."""
_LINKS = frozenset(("and", "but", "or", "so", "also", "what about", "how about"))
"""Words with which a request goes on from the one before."""
_EMPTY = _POINTING | frozenset(
    {
        *("a", "an", "the", "i", "i'm", "i'd", "me", "my", "you", "your", "we", "us", "our", "he", "she", "is", "are"),
        *("was", "were", "be", "been", "am", "do", "does", "did", "done", "can", "could", "would", "will", "should"),
        *("don't", "doesn't", "didn't", "isn't", "aren't", "wasn't", "can't", "won't", "not", "no", "nope", "yes"),
        *("yeah", "yep", "ok", "okay", "sure", "please", "and", "but", "or", "so", "also", "then", "now", "just"),
        *("too", "of", "to", "in", "on", "at", "for", "with", "from", "by", "as", "like", "about", "into", "than"),
        *("what", "why", "how", "when", "where", "which", "who", "if", "there", "here", "some", "any", "one", "two"),
        *("all", "only", "really", "very", "much", "more", "less", "most", "way", "bit", "lot", "first", "second"),
        *("last", "next", "once", "twice", "thing", "things", "part", "point", "example", "answer", "question"),
        *("good", "great", "better", "best", "right", "wrong", "correct", "fine", "nice", "bad", "shorter", "longer"),
        *("simpler", "short", "long", "simple", "different", "go", "going", "keep", "get", "got", "let", "let's"),
        *("make", "made", "give", "show", "tell", "say", "said", "mean", "meant", "think", "know", "see", "look"),
        *("looks", "want", "need", "try", "check", "explain", "continue", "proceed", "repeat", "redo", "retry"),
        *("finish", "stop", "change", "changed", "use", "work", "works", "worked", "seem", "seems", "happen"),
        *("happened", "ahead", "off", "up", "out", "back", "over", "down", "else", "still", "again", "version"),
    }
)
"""Words that tell no subject: function words, and those by which people speak about an answer."""


def dependence(query: str) -> Dependence:
    """How far a request depends on the conversation before it; requests in other scripts and long ones: none."""
    words = [found[0].lower().replace("\u2019", "'") for found in islice(_WORD.finditer(query), _BARE_WORDS + 1)]
    if not words or len(words) > _BARE_WORDS:
        return "none"
    subjects = sum(word not in _EMPTY for word in words)
    if not subjects:
        return "bare"
    linked = words[0] in _LINKS or " ".join(words[:2]) in _LINKS or any(word in _POINTING for word in words)
    return "pointing" if linked and subjects == 1 and len(words) <= _POINTING_WORDS else "none"


def context_of(turn: Turn) -> list[str]:
    """Earlier requests to read with this one, latest first: back to one that can be understood by itself."""
    return list(_back_to_a_whole_one(turn))


def _back_to_a_whole_one(turn: Turn) -> Iterator[str]:
    for earlier in islice(turn.earlier, MOST_EARLIER):
        yield earlier[:MOST_CHARACTERS]
        if dependence(earlier) == "none":
            return
