"""The latest request of a conversation: what it says, what came before it, whether an agent is at work on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from orchestrator.conversation.harness import Words, words_of
from orchestrator.types import content_text

__all__ = ["Turn", "has_images", "query_of", "turn_of"]

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A user's request and where it stands.

    query: the request without what a harness put around it; empty when no user message has text (an image, say).
    position: of its message; -1 where there is none. looping: somebody has answered since, with calls of tools most
    often, and is to go on. by_agent: the request came out of a harness's text, or with tools. messages: all of them.
    """

    query: str
    position: int
    looping: bool
    by_agent: bool
    messages: Sequence[Message]

    @property
    def earlier(self) -> Iterator[str]:
        """The requests before it, latest first."""
        for message in reversed(self.messages[: max(0, self.position)]):
            if words := _words(message):
                yield words.text

    @property
    def characters_before(self) -> int:
        """Of the conversation before the request: what an expert that has not had it reads anew."""
        return sum(len(content_text(message.get("content"))) for message in self.messages[: max(0, self.position)])

    @property
    def mark(self) -> bytes:
        """What all requests of one turn have in common, however long its loop of tools gets."""
        first = next((words.text for message in self.messages if (words := _words(message))), "")
        told = f"{self.position}\0{len(first)}\0{first}{self.query}"
        return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def turn_of(messages: Sequence[Message], *, tools: bool = False) -> Turn:
    """The latest turn of a conversation. tools: whether the request offers any."""
    looping = False
    for position in range(len(messages) - 1, -1, -1):
        if words := _words(messages[position]):
            return Turn(
                query=words.text,
                position=position,
                looping=looping,
                by_agent=tools or words.by_harness,
                messages=messages,
            )
        looping = looping or messages[position].get("role") == "assistant"
    return Turn(query="", position=-1, looping=looping, by_agent=tools, messages=messages)


def query_of(messages: Sequence[Message]) -> str:
    """The text to classify: of the latest user message that has any left once harness text is taken out."""
    return turn_of(messages).query


def has_images(messages: Sequence[Message]) -> bool:
    """Whether some message has a part that only who sees can use."""
    return any(
        isinstance(part, Mapping) and part.get("type") == "image_url"
        for message in messages
        if isinstance(content := message.get("content"), list)
        for part in content
    )


def _words(message: Message) -> Words | None:
    """What the user says in a message, part by part: each may be the harness's; None where it is nothing."""
    if message.get("role") != "user":
        return None
    words = words_of(content_text(message.get("content")))
    return words if words.text else None
