"""A body of the messages API as a chat body. What cannot be done is refused with its place, never dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from orchestrator.errors import InvalidRequest
from orchestrator.service.body import streamed, text_of, tokens

__all__ = ["chat_of"]

_TAKEN = frozenset(
    {
        *("system", "messages", "tools", "tool_choice", "stop_sequences", "metadata", "thinking", "stream"),
        *("context_management", "output_config"),
    }
)
"""Fields that become others, or hints on how to think or to keep a long context, which no expert has a use for; all
else goes on as it is."""
_UNABLE = {
    "container": "this service runs no code; leave it out",
    "mcp_servers": "tools are called by experts that the configuration names; leave it out",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_DROPPED = ("thinking", "redacted_thinking")
"""What an expert thought before is its own, and chat has no place for it."""


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same request for chat completions; raises InvalidRequest."""
    for name, why in _UNABLE.items():
        if body.get(name):
            raise InvalidRequest(f"{name!r} is not supported: {why}.", param=name)
    chat = {name: value for name, value in body.items() if name not in _TAKEN and name not in _UNABLE}
    chat["max_tokens"] = tokens(body, "max_tokens")
    chat["messages"] = [*_system(body.get("system")), *_messages(body.get("messages"))]
    if streamed(body):
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    if stops := _stops(body.get("stop_sequences")):
        chat["stop"] = stops
    if tools := body.get("tools"):
        chat["tools"] = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(_list(tools, "tools"))]
    if body.get("tool_choice") is not None:
        chat |= _tool_choice(_object(body["tool_choice"], "tool_choice"))
    user = _object(body.get("metadata") or {}, "metadata").get("user_id")
    if isinstance(user, str):
        chat["user"] = user
    return chat


def _stops(given: object) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(stop, str) for stop in given):
        raise InvalidRequest("'stop_sequences' must be an array of strings.", param="stop_sequences")
    return given


def _system(given: object) -> list[dict[str, Any]]:
    if given is None or given == []:
        return []
    if isinstance(given, str):
        return [{"role": "system", "content": given}]
    texts = [_object(block, "system").get("text") for block in _list(given, "system")]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidRequest("'system' must be a string or an array of text blocks.", param="system")
    return [{"role": "system", "content": "\n\n".join(map(str, texts))}]


def _messages(given: object) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for at, one in enumerate(_list(given, "messages")):
        where = f"messages[{at}]"
        message = _object(one, where)
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant"):
            raise InvalidRequest(f"'{where}.role' must be 'user' or 'assistant'.", param=f"{where}.role")
        if isinstance(content, str):
            messages.append({"role": role, "content": content})
            continue
        blocks = [_object(block, f"{where}.content") for block in _list(content, f"{where}.content")]
        messages += _assistant(blocks, where) if role == "assistant" else _user(blocks, where)
    return messages


def _assistant(blocks: list[Mapping[str, Any]], where: str) -> list[dict[str, Any]]:
    calls = [_call(block, f"{where}.content") for block in blocks if block.get("type") == "tool_use"]
    said = [block for block in blocks if block.get("type") not in ("tool_use", *_DROPPED)]
    content = _content(said, where) if said else None
    return [{"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}]


def _call(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = _object({} if block.get("input") is None else block["input"], f"{where}.input")
    function = {"name": text_of(block, "name", where), "arguments": orjson.dumps(given).decode()}
    return {"id": text_of(block, "id", where), "type": "function", "function": function}


def _user(blocks: list[Mapping[str, Any]], where: str) -> list[dict[str, Any]]:
    """Results of tools, each a message of its own, then what the user says beside them."""
    messages = []
    for block in blocks:
        if block.get("type") == "tool_result":
            result = block.get("content")
            if result is None or result == []:
                result = ""
            content = result if isinstance(result, str) else _content(_list(result, where), where)
            call = text_of(block, "tool_use_id", f"{where}.content")
            messages.append({"role": "tool", "tool_call_id": call, "content": content})
    said = [block for block in blocks if block.get("type") != "tool_result"]
    return [*messages, {"role": "user", "content": _content(said, where)}] if said or not messages else messages


def _content(blocks: list[Any], where: str) -> object:
    parts = [_part(_object(block, f"{where}.content"), where) for block in blocks]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    if kind == "image":
        source = _object(block.get("source"), f"{where}.content")
        if source.get("type") == "base64":
            media, data = text_of(source, "media_type", where), text_of(source, "data", where)
            url = f"data:{media};base64,{data}"
            return {"type": "image_url", "image_url": {"url": url}}
        if source.get("type") == "url":
            return {"type": "image_url", "image_url": {"url": text_of(source, "url", where)}}
    raise InvalidRequest(f"'{where}': content of type {kind!r} is not supported.", param=where)


def _tool(tool: object, where: str) -> dict[str, Any]:
    given = _object(tool, where)
    if given.get("type", "custom") != "custom":
        message = f"'{where}': tools of type {given.get('type')!r} are not supported; only your own are."
        raise InvalidRequest(message, param=where)
    function = {"name": given.get("name"), "parameters": given.get("input_schema") or {"type": "object"}}
    if given.get("description"):
        function["description"] = given["description"]
    return {"type": "function", "function": function}


def _tool_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    kind = choice.get("type")
    if kind == "tool":
        chosen: object = {"type": "function", "function": {"name": choice.get("name")}}
    elif isinstance(kind, str) and kind in _CHOICES:
        chosen = _CHOICES[kind]
    else:
        raise InvalidRequest(f"'tool_choice' of type {kind!r} is not supported.", param="tool_choice")
    alone = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    return {"tool_choice": chosen, **alone}


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"'{where}' must be an object.", param=where)
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"'{where}' must be a non-empty array.", param=where)
    return value
