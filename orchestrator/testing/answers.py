"""What a faked model server says, as the JSON that vLLM would send. Knows no HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Answer", "usage_of"]

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
    input_tokens: of the prompt, as the usage tells it; None: as many as the server counts.
    extra: further fields of the completion and of every chunk.
    request_id: the `id` of the completion and of every chunk.
    """

    pieces: tuple[str, ...] = ("Paris", " is it: caf\u00e9, \U0001f5fc", ".")
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str = "stop"
    input_tokens: int | None = 7
    alternatives: tuple[Mapping[str, float], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = "chatcmpl-fake"

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
        return {"id": self.request_id, "object": kind, "created": _CREATED, "model": model, **self.extra}

    @property
    def output_tokens(self) -> int:
        """One for each piece of text and of reasoning, and for each tool call."""
        return len(self.reasoning) + len(self.pieces) + len(self.tool_calls)

    def limited(self, most: int | None) -> Answer:
        """The answer as it is when it may have so many tokens at most."""
        if most is None or self.output_tokens <= most:
            return self
        reasoning, pieces = self.reasoning[:most], self.pieces[: max(0, most - len(self.reasoning))]
        return replace(self, reasoning=reasoning, pieces=pieces, tool_calls=(), finish_reason="length")

    def closing(self, model: str, finish_reason: str) -> bytes:
        """The data of an event that ends the answer before its time."""
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish_reason}
        return _json({**self._head("chat.completion.chunk", model), "choices": [choice]})

    def _usage(self) -> dict[str, int]:
        return usage_of(self.input_tokens or 0, self.output_tokens)


def usage_of(input_tokens: int, output_tokens: int) -> dict[str, int]:
    """The usage as OpenAI writes it."""
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
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
