"""The query inside a conversation: the user's latest request as plain text, without what a harness put around it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.types import content_text

__all__ = ["query_of"]

# Agents wrap notes to the model in such elements; they say nothing about what the user wants.
_HARNESS = re.compile(r"<(system-reminder|environment_details|context)>.*?</\1>", re.DOTALL)


def query_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text to classify: of the latest user message that has any left once harness text is taken out.

    Empty when no user message has text (an image alone, say).
    """
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        text = _HARNESS.sub("", content_text(message.get("content"))).strip()
        if text:
            return text
    return ""
