"""A request's messages as role and plain text, which is all that the chat template of a small model knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.experts.local.options import BadRequest
from orchestrator.types import content_text

__all__ = ["conversation"]

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "user"}
_TEXT_PARTS = ("text", "refusal")


def conversation(messages: object, *, system: str | None) -> list[dict[str, str]]:
    """The messages with their text; `system` goes first where they have no system message.

    What a tool returned stands as the user's words, since templates without tools know no such role.

    Raises:
        BadRequest: no messages, or one with an image, another kind of part, or an unknown role.
    """
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages: expected a list that is not empty")
    tools = _called(messages)
    flat = [_flat(message, tools, place=f"messages[{index}]") for index, message in enumerate(messages)]
    if system is not None and all(message["role"] != "system" for message in flat):
        flat.insert(0, {"role": "system", "content": system})
    return flat


def _flat(message: object, tools: Mapping[str, str], *, place: str) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise BadRequest(f"{place}: expected an object")
    role = message.get("role")
    if role not in _ROLES:
        raise BadRequest(f"{place}.role: expected one of {', '.join(_ROLES)}, not {role!r}")
    text = _text(message.get("content"), place=f"{place}.content")
    if role == "tool":
        name = tools.get(str(message.get("tool_call_id")), "the tool")
        text = f"Result of {name}: {text}"
    calls = [f"{_name(call)}({_arguments(call)})" for call in _calls(message)]
    return {"role": _ROLES[role], "content": "\n".join(filter(None, [text, *calls]))}


def _text(content: object, *, place: str) -> str:
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in _TEXT_PARTS:
            seen = "this model cannot see images" if "image" in str(kind) else "this model takes text only"
            raise BadRequest(f"{place}: {seen} (a part of type {kind!r})")
    return content_text(content)


def _called(messages: list[Any]) -> dict[str, str]:
    """The names of the tools that were called, by the id of the call."""
    return {str(call.get("id")): _name(call) for message in messages for call in _calls(message)}


def _calls(message: object) -> list[Mapping[str, Any]]:
    calls = message.get("tool_calls") if isinstance(message, Mapping) else None
    return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def _name(call: Mapping[str, Any]) -> str:
    return str(_function(call).get("name") or "the tool")


def _arguments(call: Mapping[str, Any]) -> str:
    return str(_function(call).get("arguments") or "")
