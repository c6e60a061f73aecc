"""A body of the Responses API as a chat body. What cannot be done is refused with its place, never dropped.

What `previous_response_id` stands for has been put into the input before (`memory`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.errors import InvalidRequest
from orchestrator.service.body import streamed, text_of, tokens

__all__ = ["chat_of"]

_TAKEN = frozenset(
    {
        *("input", "instructions", "tools", "tool_choice", "text", "max_output_tokens", "reasoning", "metadata"),
        *("include", "truncation", "store", "stream", "stream_options", "previous_response_id", "conversation"),
        *("prompt", "background", "top_logprobs"),
    }
)
"""Fields that become others; all else goes on as it is."""
_UNABLE = {
    "conversation": "this service keeps no conversations; send the whole conversation as 'input'",
    "prompt": "this service keeps no prompts; send 'instructions'",
}
_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"})


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same request for chat completions; raises InvalidRequest."""
    _check_able(body)
    chat = {name: value for name, value in body.items() if name not in _TAKEN}
    chat["messages"] = [*_instructions(body), *_messages(body.get("input"))]
    if streamed(body):
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = tokens(body, "max_output_tokens")
    if body.get("top_logprobs"):
        chat |= {"logprobs": True, "top_logprobs": body["top_logprobs"]}
    if tools := body.get("tools"):
        chat["tools"] = [_tool(tool, at) for at, tool in enumerate(_list(tools, "tools"))]
    if body.get("tool_choice") is not None:
        chat["tool_choice"] = _tool_choice(body["tool_choice"])
    chat |= {"reasoning_effort": _effort(body.get("reasoning")), "response_format": _response_format(body.get("text"))}
    return {name: value for name, value in chat.items() if value is not None}


def _effort(reasoning: object) -> object:
    return _object(reasoning or {}, "reasoning").get("effort")


def _check_able(body: Mapping[str, Any]) -> None:
    for name, why in _UNABLE.items():
        if body.get(name) is not None:
            raise InvalidRequest(f"{name!r} is not supported: {why}.", param=name)
    if body.get("background"):
        raise InvalidRequest("'background' is not supported: the answer comes with the request.", param="background")


def _instructions(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    said = body.get("instructions")
    if said is None:
        return []
    if not isinstance(said, str):
        raise InvalidRequest("'instructions' must be a string.", param="instructions")
    return [{"role": "system", "content": said}]


def _messages(given: object) -> list[dict[str, Any]]:
    if isinstance(given, str) and given:
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise InvalidRequest("'input' must be a non-empty string or array of items.", param="input")
    messages: list[dict[str, Any]] = []
    for at, item in enumerate(given):
        _add(messages, _object(item, f"input[{at}]"), f"input[{at}]")
    if not messages:
        raise InvalidRequest("'input' has nothing but thoughts of earlier turns.", param="input")
    return messages


def _add(messages: list[dict[str, Any]], item: Mapping[str, Any], where: str) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        messages.append({"role": item.get("role"), "content": _content(item, "content", where)})
    elif kind == "function_call":
        function = {name: text_of(item, name, where) for name in ("name", "arguments")}
        call = {"id": text_of(item, "call_id", where), "type": "function", "function": function}
        if messages and messages[-1]["role"] == "assistant":
            messages[-1] = {**messages[-1], "tool_calls": [*messages[-1].get("tool_calls", []), call]}
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind == "function_call_output":
        content = _content(item, "output", where)
        messages.append({"role": "tool", "tool_call_id": text_of(item, "call_id", where), "content": content})
    elif kind != "reasoning":  # what an expert thought before is its own, and chat has no place for it
        raise InvalidRequest(f"'{where}': items of type {kind!r} are not supported.", param=where)


def _content(item: Mapping[str, Any], field: str, where: str) -> object:
    """The text or the parts in a field of an item. where: the item's place."""
    content = item.get(field)
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        message = f"'{where}.{field}' must be a string or an array of parts."
        raise InvalidRequest(message, param=f"{where}.{field}")
    parts = [_part(_object(part, f"{where}.{field}"), where) for part in content]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return texts[0] if len(parts) == len(texts) == 1 else parts


def _part(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    kind = part.get("type")
    if isinstance(kind, str) and kind in _TEXTS:
        return {"type": "text", "text": text_of(part, "refusal" if kind == "refusal" else "text", where)}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    if kind == "input_audio":
        return dict(part)
    raise InvalidRequest(f"'{where}': content of type {kind!r} is not supported.", param=where)


def _tool(tool: object, at: int) -> dict[str, Any]:
    where = f"tools[{at}]"
    given = _object(tool, where)
    if given.get("type") != "function":
        message = f"'{where}': tools of type {given.get('type')!r} are not supported; only functions are."
        raise InvalidRequest(message, param=where)
    names = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {name: given[name] for name in names if given.get(name) is not None}}


def _tool_choice(choice: object) -> object:
    if isinstance(choice, str):
        return choice
    given = _object(choice, "tool_choice")
    if given.get("type") != "function":
        raise InvalidRequest(f"'tool_choice' of type {given.get('type')!r} is not supported.", param="tool_choice")
    return {"type": "function", "function": {"name": given.get("name")}}


def _response_format(text: object) -> dict[str, Any] | None:
    form = _object(_object(text or {}, "text").get("format") or {}, "text.format")
    kind = form.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema":
        raise InvalidRequest(f"'text.format' of type {kind!r} is not supported.", param="text.format")
    names = ("name", "description", "schema", "strict")
    return {"type": "json_schema", "json_schema": {name: form[name] for name in names if form.get(name) is not None}}


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"'{where}' must be an object.", param=where)
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRequest(f"'{where}' must be an array.", param=where)
    return value
