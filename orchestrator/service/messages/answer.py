"""One answer as a message: the object, and the events of its stream, from what chat says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from orchestrator.errors import OrchestratorError
from orchestrator.service import said
from orchestrator.service.body import nests_too_deeply
from orchestrator.service.errors import status_of
from orchestrator.service.messages.errors import error_fields
from orchestrator.service.translated import Event
from orchestrator.wire import new_id

__all__ = ["Answering"]

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_KINDS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "text": ({"type": "text", "text": ""}, "text_delta", "text"),
    "thinking": ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"),
}
"""Of a block of text: how it begins, and its deltas' type and field."""


class Answering:
    """The translation of one answer. body: the request as the client sent it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._stops = body.get("stop_sequences") or []
        self._id = new_id("msg", joint="_")
        self._blocks = 0
        self._open: tuple[int, str] | None = None
        self._calls: dict[int, int] = {}
        self._reason: str | None = None
        self._stop: str | None = None
        self._usage: Mapping[str, Any] = {}

    def whole(self, completion: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Translation`."""
        choice = said.fields(completion["choices"][0])
        message = said.fields(choice["message"])
        self._end(choice)
        content: list[dict[str, Any]] = []
        if thought := said.text(message.get("reasoning_content") or message.get("reasoning")):
            content.append({"type": "thinking", "thinking": thought, "signature": ""})
        if text := said.text(message.get("content")):
            content.append({"type": "text", "text": text})
        for call in said.calls(message):
            begin = _begun(call)
            content.append({**begin, "input": _arguments(said.arguments(said.fields(call.get("function"))))})
        self._usage = _usage(completion.get("usage"))
        return self._message(str(completion.get("model", "")), content, self._stop_reason, self._usage)

    def opening(self, model: str) -> Iterable[Event]:
        """See `Translation`."""
        nothing = {"input_tokens": 0, "output_tokens": 0}
        yield {"type": "message_start", "message": self._message(model, [], None, nothing)}

    def chunk(self, data: Mapping[str, Any]) -> Iterable[Event]:
        """See `Translation`; of several choices the first, as the API has one."""
        if data.get("usage"):
            self._usage = _usage(data["usage"])
        for choice in map(said.fields, said.listed(data.get("choices"))):
            if choice.get("index", 0) == 0:
                yield from self._choice(choice)

    def closing(self) -> Iterable[Event]:
        """See `Translation`."""
        yield from self._close()
        for block in self._calls.values():
            yield {"type": "content_block_stop", "index": block}
        delta = {"stop_reason": self._stop_reason, "stop_sequence": self._stop}
        yield {"type": "message_delta", "delta": delta, "usage": self._usage or _usage(None)}
        yield {"type": "message_stop"}

    def failure(self, error: OrchestratorError) -> Iterable[Event]:
        """See `Translation`."""
        yield error_fields(status_of(error), str(error))

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        delta = said.fields(choice.get("delta"))
        if thought := said.text(delta.get("reasoning_content") or delta.get("reasoning")):
            yield from self._text("thinking", thought)
        if content := said.text(delta.get("content")):
            yield from self._text("text", content)
        for call in said.calls(delta):
            yield from self._call(call)
        self._end(choice)

    def _text(self, kind: str, piece: str) -> Iterator[Event]:
        begin, delta, field = _KINDS[kind]
        if self._open is None or self._open[1] != kind:
            yield from self._close()
            self._open = (self._blocks, kind)
            self._blocks += 1
            yield {"type": "content_block_start", "index": self._open[0], "content_block": begin}
        yield {"type": "content_block_delta", "index": self._open[0], "delta": {"type": delta, field: piece}}

    def _call(self, call: Mapping[str, Any]) -> Iterator[Event]:
        at = said.place(call)
        if at not in self._calls:
            begin = _begun(call)
            yield from self._close()
            self._calls[at] = self._blocks
            self._blocks += 1
            yield {"type": "content_block_start", "index": self._calls[at], "content_block": begin}
        if arguments := said.arguments(said.fields(call.get("function"))):
            delta = {"type": "input_json_delta", "partial_json": arguments}
            yield {"type": "content_block_delta", "index": self._calls[at], "delta": delta}

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield {"type": "content_block_stop", "index": self._open[0]}
        self._open = None

    def _end(self, choice: Mapping[str, Any]) -> None:
        self._reason = said.name(choice.get("finish_reason")) or self._reason
        if choice.get("stop_reason") in self._stops:  # vLLM says which of them it was
            self._stop = choice["stop_reason"]

    @property
    def _stop_reason(self) -> str:
        return "stop_sequence" if self._stop is not None else _REASONS.get(self._reason or "stop", "end_turn")

    def _message(
        self, model: str, content: list[dict[str, Any]], reason: str | None, usage: Mapping[str, Any]
    ) -> dict[str, Any]:
        stop = None if reason is None else self._stop
        own = {"id": self._id, "type": "message", "role": "assistant", "model": model, "content": content}
        return {**own, "stop_reason": reason, "stop_sequence": stop, "usage": dict(usage)}


def _begun(call: Mapping[str, Any]) -> dict[str, Any]:
    """The block of a call before its arguments are known."""
    name = said.name(said.fields(call.get("function")).get("name"))
    return {"type": "tool_use", "id": said.name(call.get("id")), "name": name, "input": {}}


def _arguments(written: str) -> Any:
    """As an object; what a model wrote that is no JSON object stays readable in one."""
    try:
        given = orjson.loads(written)
    except orjson.JSONDecodeError:
        given = None
    if isinstance(given, dict) and not nests_too_deeply(written.encode(), given):
        return given
    return {"arguments": written} if written else {}


def _usage(counted: object) -> dict[str, int]:
    """Of a chat's usage; ValueError where it is none."""
    of = said.fields(counted)
    read = said.count(said.fields(of.get("prompt_tokens_details")).get("cached_tokens"))
    return {
        "input_tokens": said.count(of.get("prompt_tokens")) - read,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": 0,
        "output_tokens": said.count(of.get("completion_tokens")),
    }
