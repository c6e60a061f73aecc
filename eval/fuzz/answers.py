"""Right answers of a model server, as bytes: odd in their framing, with everything that an answer may have."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["CHUNKED", "EVENTS", "JSON", "OK", "chunks_of", "completion", "cut_up", "framed", "head", "whole", "written"]

OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = b"content-type: text/event-stream\r\n"
JSON = b"content-type: application/json\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def head(*, streamed: bool, more: bytes = b"") -> bytes:
    """The beginning of an answer in chunks of HTTP, headers `more` included."""
    return OK + (EVENTS if streamed else JSON) + CHUNKED + more + b"\r\n"


def cut_up(raw: bytes, chance: random.Random) -> bytes:
    """In chunks of HTTP, whose borders are anywhere."""
    made, at = b"", 0
    most = chance.choice((3, 60, 10**7)) if len(raw) < 4_000 else 10**7
    while at < len(raw):
        piece = raw[at : at + chance.randint(1, most)]
        made += b"%x\r\n%b\r\n" % (len(piece), piece)
        at += len(piece)
    return made


def written(value: Any, chance: random.Random) -> str:
    """As JSON, in one of several spellings."""
    return json.dumps(value, ensure_ascii=chance.random() < 0.5, separators=chance.choice(((",", ":"), (", ", ": "))))


def framed(data: Sequence[str], chance: random.Random, *, done: str = "[DONE]") -> bytes:
    """Events with comments and fields that nobody needs between them."""
    end = chance.choice(("\n", "\r\n", "\r"))
    lines = []
    for one in (*data, *([done] if done else ())):
        if chance.random() < 0.2:
            lines += [
                chance.choice((": ping", "event: message", "id: 7", "retry: 10", ":", "x", "data-x: 1")),
                *([""] * (chance.random() < 0.3)),
            ]
        lines += [f"data:{chance.choice((' ', ''))}{one}", ""]
    return (end.join(lines) + end).encode("utf-8", "surrogatepass")


def chunks_of(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Of one answer: text, thoughts or calls of tools, then the end and maybe the usage."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def choice(delta: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None, **fields}]}

    yield choice({"role": "assistant", "content": ""})
    kind = chance.choice(("text", "text", "thought", "tools"))
    words = ("Paris", " caf\u00e9", "\U0001f5fc", "\u2028", "\\n", '"', "data: x", "[DONE]", "")
    for _ in range(chance.randrange(1, 8)):
        if kind == "thought":
            yield choice({"reasoning_content": chance.choice(words)})
        yield choice(
            {"content": chance.choice(words)}, logprobs={"content": [{"token": "x", "logprob": -0.5, "bytes": [120]}]}
        )
    for index in range(2 if kind == "tools" else 0):
        yield choice(
            {
                "tool_calls": [
                    {"index": index, "id": f"c{index}", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
            }
        )
        yield choice({"tool_calls": [{"index": index, "function": {"arguments": '{"a": "'}}]})
        yield choice({"tool_calls": [{"index": index, "function": {"arguments": '\u00e9"}'}}]})
    yield choice(
        {}, finish_reason="tool_calls" if kind == "tools" else "stop", stop_reason=chance.choice((None, 2, "END"))
    )
    if chance.random() < 0.5:
        details = {"prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 1}}
        yield {
            **head,
            "choices": [],
            "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16, **details},
        }


def completion() -> dict[str, Any]:
    """A whole answer that has all that one may have."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = {"role": "assistant", "content": "Paris", "reasoning_content": "hm", "tool_calls": [call]}
    logprobs = {"content": [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}]}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", "stop_reason": None, "logprobs": logprobs}]
    details = {"prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 1}}
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16, **details}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": usage,
    }


def whole(chance: random.Random) -> bytes:
    """The body of a whole answer."""
    return written(completion(), chance).encode()
