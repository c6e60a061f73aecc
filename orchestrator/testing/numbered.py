"""Answers whose every token says where it is from, so that a test proves that none was lost, doubled or moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from orchestrator.testing.answers import Answer

__all__ = ["Numbered", "Traced", "UntraceableError", "traced"]

_TOKEN = re.compile(r"\[(?P<server>[^|\]]*)\|(?P<request>\d+)\|(?P<tag>[^|\]]*)\|(?P<place>\d+)/(?P<total>\d+)\] ")
_FIRST_WORD = re.compile(r"[\w.-]{1,64}")


class UntraceableError(AssertionError):
    """A text is not what one server said in one answer."""


@dataclass(frozen=True, slots=True)
class Traced:
    """Where a text is from.

    request: its number at that server, from 1. tag: the first word of the user's last message. got: how many tokens
    came. total: how many there were to come.
    """

    server: str
    request: int
    tag: str
    got: int
    total: int

    @property
    def whole(self) -> bool:
        """Nothing is missing at its end."""
        return self.got == self.total


@dataclass(slots=True)
class Numbered:
    """Says so many tokens, numbered; to be given to `FakeVLLM` as its `answer`."""

    server: str
    tokens: int = 20
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __call__(self, body: Mapping[str, Any]) -> Answer:
        """The answer to one request."""
        head = f"[{self.server}|{next(self._numbers)}|{_tag(body)}"
        pieces = tuple(f"{head}|{place}/{self.tokens}] " for place in range(1, self.tokens + 1))
        return Answer(pieces=pieces, input_tokens=None)


def traced(text: str) -> Traced:
    """Where a text of numbered tokens is from, which may lack its end.

    Raises:
        UntraceableError: tokens were lost, doubled or moved, or are of several answers.
    """
    tokens = list(_TOKEN.finditer(text))
    if not tokens or "".join(token[0] for token in tokens) != text:
        raise UntraceableError(f"not made of numbered tokens alone: {text!r}")
    origins = {token.group("server", "request", "tag", "total") for token in tokens}
    if len(origins) > 1:
        raise UntraceableError(f"tokens of several answers: {sorted(origins)}")
    places = [int(token["place"]) for token in tokens]
    if places != list(range(1, len(places) + 1)):
        raise UntraceableError(f"tokens are lost, doubled or moved: {places}")
    (server, request, tag, total) = origins.pop()
    return Traced(server, int(request), tag, len(places), int(total))


def _tag(body: Mapping[str, Any]) -> str:
    said = [message.get("content") for message in body.get("messages", []) if message.get("role") == "user"]
    text = said[-1] if said else body.get("prompt")
    found = _FIRST_WORD.search(text) if isinstance(text, str) else None
    return found[0] if found else ""
