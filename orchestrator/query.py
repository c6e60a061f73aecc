"""The query inside a conversation: the user's latest request as plain text, without what a harness put around it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.types import content_text

__all__ = ["has_images", "query_of"]

# Agents wrap notes to the model in such elements; they say nothing about what the user wants.
_HARNESS = ("system-reminder", "environment_details", "context")


def query_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text to classify: of the latest user message that has any left once harness text is taken out.

    Empty when no user message has text (an image alone, say).
    """
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        text = content_text(message.get("content"))
        if "<" in text:
            text = "".join(_outside_harness(text))
        text = text.strip()
        if text:
            return text
    return ""


def has_images(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some message has a part that only who sees can use."""
    return any(
        isinstance(part, Mapping) and part.get("type") == "image_url"
        for message in messages
        if isinstance(content := message.get("content"), list)
        for part in content
    )


def _outside_harness(text: str) -> Iterator[str]:
    """The pieces between harness elements; an element that is never closed is text like any other.

    Linear in the length: each search goes on where the last one ended, and what was not found once is not searched
    for again. (A backtracking pattern took minutes for a body of unclosed elements.)
    """
    opens = {name: text.find(f"<{name}>") for name in _HARNESS}
    done = 0
    while found := [(place, name) for name, place in opens.items() if place >= 0]:
        place, name = min(found)
        if place < done:  # inside an element that has been taken out
            opens[name] = text.find(f"<{name}>", done)
            continue
        closing = f"</{name}>"
        end = text.find(closing, place)
        if end < 0:
            opens[name] = -1
            continue
        yield text[done:place]
        done = end + len(closing)
        opens[name] = text.find(f"<{name}>", done)
    yield text[done:]
