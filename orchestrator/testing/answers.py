"""What a faked model server says, as the JSON that vLLM would send. Knows no HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer"]

_CREATED = 1_700_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a model.

    The JSON has spaces and escapes that no fast serialiser writes, so that parsing and writing it anew shows.

    pieces: the text, one streamed event each; with tool calls usually empty.
    reasoning: the same for `reasoning_content`, which comes first.
    tool_calls: whole OpenAI tool calls; their arguments are streamed in two halves.
    alternatives: for the first pieces, the log-probabilities of what could have stood in their place, themselves
        included.
    extra: further fields of the completion and of every chunk.
    """

    pieces: tuple[str, ...] = ("Paris", " is it: caf\u00e9, \U0001f5fc", ".")
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str = "stop"
    input_tokens: int = 7
    alternatives: tuple[Mapping[str, float], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    def completion(self, model: str, *, logprobs: bool = False) -> bytes:
        """The body of an answer that is not streamed."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(self.pieces, self.alternatives) if logprobs else None,
            "finish_reason": self.finish_reason,
        }
        return _json({**self._head("chat.completion", model), "choices": [choice], "usage": self._usage()})

    def chunks(self, model: str, *, logprobs: bool = False, usage: bool = False) -> list[bytes]:
        """The data of the events of a streamed answer, without the closing `[DONE]`."""
        head = self._head("chat.completion.chunk", model)
        chunks = []
        for delta, finish_reason in self._deltas():
            piece = delta.get("content")
            choice = {
                "index": 0,
                "delta": delta,
                "logprobs": _logprobs([piece]) if logprobs and piece else None,
                "finish_reason": finish_reason,
            }
            chunks.append(_json({**head, "choices": [choice]}))
        if usage:
            chunks.append(_json({**head, "choices": [], "usage": self._usage()}))
        return chunks

    def _deltas(self) -> Iterator[tuple[dict[str, Any], str | None]]:
        yield {"role": "assistant", "content": ""}, None
        for thought in self.reasoning:
            yield {"reasoning_content": thought}, None
        for piece in self.pieces:
            yield {"content": piece}, None
        for index, call in enumerate(self.tool_calls):
            arguments = call["function"]["arguments"]
            half = len(arguments) // 2
            opening = {**call, "index": index, "function": {**call["function"], "arguments": arguments[:half]}}
            yield {"tool_calls": [opening]}, None
            yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]}, None
        yield {}, self.finish_reason

    def _head(self, kind: str, model: str) -> dict[str, Any]:
        return {"id": "chatcmpl-fake", "object": kind, "created": _CREATED, "model": model, **self.extra}

    def _usage(self) -> dict[str, int]:
        output = len(self.reasoning) + len(self.pieces) + len(self.tool_calls)
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output,
            "total_tokens": self.input_tokens + output,
        }


def _logprobs(tokens: Sequence[str], alternatives: Sequence[Mapping[str, float]] = ()) -> dict[str, Any]:
    content = []
    for place, token in enumerate(tokens):
        listed = alternatives[place] if place < len(alternatives) else {}
        top = [_listed(other, logprob) for other, logprob in listed.items()]
        content.append({**_listed(token, listed.get(token, -0.25)), "top_logprobs": top})
    return {"content": content}


def _listed(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
