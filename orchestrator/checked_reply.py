"""A JSON reply of an expert to a request of ours: asked for, checked, and mended at most once. Knows no registry."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from orchestrator.types import ChatRequest, Draft, Usage

__all__ = ["Ask", "Wanted", "checked_reply", "json_of", "object_schema"]

T = TypeVar("T")

Ask = Callable[[ChatRequest], Awaitable[Draft]]
"""Asks whoever replies; raises `ExpertError`."""

_MEND = "This reply cannot be used. {problem}\nReply with the corrected JSON object and with nothing else."

_TRIES = 2
_MAX_TOKENS = 512  # of a reply
_QUOTED_CHARS = 2000  # of a reply that is shown to its author again


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for.

    instructions: to whoever replies. briefing: JSON, which is data. name, schema: of the reply.
    """

    instructions: str
    briefing: str
    name: str
    schema: Mapping[str, Any]


async def checked_reply(
    wanted: Wanted, read: Callable[[str, bool], T], *, ask: Ask, request: ChatRequest
) -> tuple[T, Usage]:
    """What `read` makes of the first reply that it takes, and the tokens of all of them.

    read: is given a reply and whether it is the last one; its ValueError is shown to who replied. request: whose
    deadline holds.

    Raises:
        ValueError: no reply could be used; of the last one.
        ExpertError: nobody replied.

    """
    messages: list[Mapping[str, str]] = [
        {"role": "system", "content": wanted.instructions},
        {"role": "user", "content": wanted.briefing},
    ]
    usage = Usage()
    left = _TRIES
    while True:
        left -= 1
        draft = await ask(_asked(wanted, messages, request))
        usage += draft.usage
        try:
            return read(draft.text, not left), usage
        except ValueError as error:
            if not left:
                raise
            problem = str(error)
        messages = [
            *messages,
            {"role": "assistant", "content": draft.text[:_QUOTED_CHARS]},
            {"role": "user", "content": _MEND.format(problem=problem)},
        ]


def json_of(reply: str) -> Any:
    """What a reply says as JSON; raises ValueError with what is wrong."""
    try:
        return json.loads(reply)
    except ValueError as error:
        message = f"It is no JSON: {error}."
        raise ValueError(message) from error


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has these properties, all of them and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _asked(wanted: Wanted, messages: list[Mapping[str, str]], request: ChatRequest) -> ChatRequest:
    """A request of our own: what the client set is meant for its answer, only its deadline holds here too."""
    schema = {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": wanted.schema}}
    body = {"messages": messages, "temperature": 0, "max_tokens": _MAX_TOKENS, "response_format": schema}
    return replace(request, body=body)
