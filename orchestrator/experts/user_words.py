"""Where the words of the last user message begin among a conversation's tokens, whatever the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

__all__ = ["APART", "common_beginning", "with_words"]

APART = ("0", "x")
"""Two words that no tokenizer begins with the same token."""


def with_words(messages: object, words: str) -> list[Mapping[str, Any]]:
    """The conversation up to its last user message, with these words in it; none where there is no such message."""
    known = [message for message in messages if isinstance(message, Mapping)] if isinstance(messages, list) else []
    last = max((at for at, message in enumerate(known) if message.get("role") == "user"), default=None)
    return [] if last is None else [*known[:last], {**known[last], "content": words}]


def common_beginning(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The tokens that both begin with."""
    return [pair[0] for pair in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
