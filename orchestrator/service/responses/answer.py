"""One answer as a response: the object, and the events of its stream, from what chat says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.errors import OrchestratorError
from orchestrator.service import said
from orchestrator.service.errors import error_body
from orchestrator.service.responses.items import Call, Item, Said, Thought
from orchestrator.service.translated import Event
from orchestrator.wire import new_id

__all__ = ["Answering"]

_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""Fields of the request that the response repeats, with what stands there where they were not given."""
_CUT_BY = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Answering:
    """The translation of one answer. body: the request as the client sent it, `store` whether the answer is kept.

    ended: whether it has come to its end, with nothing broken off.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        echoed = {name: usual if body.get(name) is None else body[name] for name, usual in _ECHOED.items()}
        self.id = new_id("resp", joint="_")
        self.ended = False
        self._head: dict[str, Any] = {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "background": False,
            "previous_response_id": body.get("previous_response_id"),
            "store": bool(body.get("store")),
            **echoed,
        }
        self._model = ""
        self._items: list[Item] = []
        self._open: Item | None = None
        self._calls: dict[int, Call] = {}
        self._finish_reason = "stop"
        self._usage: Mapping[str, Any] | None = None
        self._number = 0

    def whole(self, completion: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Translation`."""
        self._model = str(completion.get("model", ""))
        choice = said.fields(completion["choices"][0])
        message = dict(said.fields(choice["message"]))
        calls = said.calls(message)
        message["tool_calls"] = [{**call, "index": at} for at, call in enumerate(calls)]
        logprobs = choice.get("logprobs")
        delta = {"delta": message, "finish_reason": choice.get("finish_reason"), "logprobs": logprobs}
        list(self.chunk({"choices": [delta], "usage": completion.get("usage")}))
        list(self._close_all())
        self.ended = True
        return self._response(self._status)

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items so far."""
        return [item.shown(item.status) for item in self._items]

    def opening(self, model: str) -> Iterable[Event]:
        """See `Translation`."""
        self._model = model
        response = self._response("in_progress")
        yield from self._numbered([{"type": "response.created", "response": response}])
        yield from self._numbered([{"type": "response.in_progress", "response": response}])

    def chunk(self, data: Mapping[str, Any]) -> Iterable[Event]:
        """See `Translation`; of several choices the first, as the API has one."""
        if data.get("usage"):
            self._usage = _usage(said.fields(data["usage"]))
        for choice in map(said.fields, said.listed(data.get("choices"))):
            if choice.get("index", 0) == 0:
                yield from self._numbered(self._choice(choice))

    def closing(self) -> Iterable[Event]:
        """See `Translation`."""
        yield from self._numbered(self._close_all())
        status = self._status
        kind = "response.completed" if status == "completed" else "response.incomplete"
        self.ended = True
        yield from self._numbered([{"type": kind, "response": self._response(status)}])

    def failure(self, error: OrchestratorError) -> Iterable[Event]:
        """See `Translation`."""
        told = error_body(error)["error"]
        failed = {**self._response("failed"), "error": {"code": "server_error", "message": told["message"]}}
        yield from self._numbered([{"type": "response.failed", "response": failed}])

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        delta = said.fields(choice.get("delta"))
        if thought := said.text(delta.get("reasoning_content") or delta.get("reasoning")):
            yield from self._text(Thought, thought)
        if content := said.text(delta.get("content")):
            logprobs = said.listed(said.fields(choice.get("logprobs")).get("content"))
            yield from self._text(Said, content, logprobs=logprobs)
        for call in said.calls(delta):
            yield from self._call(call)
        self._finish_reason = said.name(choice.get("finish_reason")) or self._finish_reason

    def _text(self, kind: type[Said | Thought], piece: str, **fields: Any) -> Iterator[Event]:
        if not isinstance(self._open, kind):
            yield from self._close()
            self._open = kind(len(self._items))
            self._items.append(self._open)
            yield from self._open.opened()
        yield from self._open.more(piece, **fields)

    def _call(self, call: Mapping[str, Any]) -> Iterator[Event]:
        at = said.place(call)
        if at not in self._calls:
            item = Call(len(self._items), call)
            yield from self._close()
            self._calls[at] = item
            self._items.append(item)
            yield from item.opened()
        if arguments := said.arguments(said.fields(call.get("function"))):
            yield from self._calls[at].more(arguments)

    def _close(self, status: str = "completed") -> Iterator[Event]:
        if self._open is not None:
            yield from self._open.closed(status)
        self._open = None

    def _close_all(self) -> Iterator[Event]:
        if not self._items:  # an answer without anything is an empty message
            yield from self._text(Said, "")
        yield from self._close(self._status)
        for call in self._calls.values():
            yield from call.closed(self._status)

    @property
    def _status(self) -> str:
        return "incomplete" if self._finish_reason in _CUT_BY else "completed"

    def _response(self, status: str) -> dict[str, Any]:
        reason = _CUT_BY.get(self._finish_reason)
        return {
            **self._head,
            "model": self._model,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if status == "incomplete" else None,
            "output": [] if status == "in_progress" else self.output,
            "usage": None if self._usage is None or status == "in_progress" else self._usage,
        }

    def _numbered(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            yield {**event, "sequence_number": self._number}
            self._number += 1


def _usage(counted: Mapping[str, Any]) -> dict[str, Any]:
    """Of a chat's usage; details that its server does not tell are 0. ValueError where it is none."""
    read, written = (said.fields(counted.get(f"{part}_tokens_details")) for part in ("prompt", "completion"))
    return {
        "input_tokens": said.count(counted.get("prompt_tokens")),
        "input_tokens_details": {"cached_tokens": said.count(read.get("cached_tokens"))},
        "output_tokens": said.count(counted.get("completion_tokens")),
        "output_tokens_details": {"reasoning_tokens": said.count(written.get("reasoning_tokens"))},
        "total_tokens": said.count(counted.get("total_tokens")),
    }
