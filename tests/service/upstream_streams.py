"""Streams as model servers send them, drawn from a seed: odd borders, odd framing, fields that nobody knows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Stream", "drawn"]

_WORDS = (
    "Paris",
    " is",
    " caf\u00e9",
    "\U0001f5fc",
    "\u2028",
    '"quoted"',
    "\\n",
    "a\tb",
    "data: x",
    "[DONE]",
    "\r\n",
    "",
)
_ENDS = (b"\n", b"\r\n", b"\r")
_FRAMING = (b"", b": ping\n", b"event: message\n", b"id: 7\n", b"retry: 10\n")


@dataclass(frozen=True, slots=True)
class Stream:
    """What a server sends: `pieces` are the bytes as they come, `data` what each event holds before the [DONE]."""

    pieces: tuple[bytes, ...]
    data: tuple[bytes, ...]


def drawn(seed: int, *, model: str) -> Stream:
    """The stream of a seed; all but the name of the model is the same for every `model`."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    data = tuple(_written(chunk, chance) for chunk in _chunks(chance, model))
    end = chance.choice(_ENDS)
    raw = b"".join(_event(one, end, chance) for one in (*data, b"[DONE]"))
    return Stream(tuple(_cut(raw, chance)), data)


def _chunks(chance: random.Random, model: str) -> Iterator[dict[str, Any]]:
    """Role first, then text, thoughts, log-probabilities and tool calls, the finish reason, and usage last or not."""
    head = {
        "id": f"chatcmpl-{chance.getrandbits(32):x}",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
    }
    if chance.random() < 0.3:
        head |= {"system_fingerprint": None, "service_tier": "default"}
    if chance.random() < 0.3:
        head["vendor"] = {"model": "not this one", "n": [1, 2.50, 1e-7]}
    if chance.random() < 0.2:
        yield {**head, "choices": []}  # as some servers begin: the filter's verdict on the prompt
    yield _choice(head, {"role": "assistant", **({"content": ""} if chance.random() < 0.5 else {})})
    kind = chance.choice(("text", "text", "reasoning", "tools", "both", "many"))
    for _ in range(chance.randrange(1, 9) if kind in {"reasoning", "both"} else 0):
        yield _choice(head, {"reasoning_content": chance.choice(_WORDS), "unknown": [None, {"deep": True}]})
    for _ in range(chance.randrange(1, 30) if kind != "tools" else 0):
        index = chance.randrange(3) if kind == "many" else 0
        yield _choice(head, {"content": chance.choice(_WORDS)}, index=index, logprobs=_logprobs(chance))
    if kind in {"tools", "both"}:
        yield from _calls(head, chance)
    reason = "tool_calls" if kind in {"tools", "both"} else chance.choice(("stop", "length"))
    yield _choice(head, {}, finish_reason=reason, stop_reason=chance.choice((None, 2)))
    if chance.random() < 0.6:
        yield {**head, "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}}


def _calls(head: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    """Several calls side by side, their arguments in pieces, without any content."""
    for index in range(chance.randrange(1, 4)):
        opening = {"name": "get_weather", "arguments": ""}
        yield _choice(
            head, {"tool_calls": [{"index": index, "id": f"c{index}", "type": "function", "function": opening}]}
        )
        for piece in ('{"ci', 'ty": "Os', "lo \\u00e9", '"', "}"):
            yield _choice(head, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def _choice(head: dict[str, Any], delta: dict[str, Any], *, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {**head, "choices": [{"index": index, "delta": delta, "finish_reason": None, **fields}]}


def _logprobs(chance: random.Random) -> dict[str, Any] | None:
    return {"content": [{"token": "x", "logprob": -0.25, "bytes": [120]}]} if chance.random() < 0.2 else None


def _written(chunk: dict[str, Any], chance: random.Random) -> bytes:
    separators = chance.choice(((",", ":"), (", ", ": "), (" , ", " : ")))
    return json.dumps(chunk, separators=separators, ensure_ascii=chance.random() < 0.5).encode()


def _event(data: bytes, end: bytes, chance: random.Random) -> bytes:
    between = chance.choice(_FRAMING) if chance.random() < 0.2 else b""
    blank = b" " if chance.random() < 0.9 else b""
    return between.replace(b"\n", end) + b"data:" + blank + data + end + end


def _cut(raw: bytes, chance: random.Random) -> Iterator[bytes]:
    """At every byte, at random places, or not at all."""
    most = chance.choice((1, 7, 200, len(raw))) if len(raw) < 1500 else chance.choice((50, 900, len(raw)))
    at = 0
    while at < len(raw):
        size = chance.randint(1, most)
        yield raw[at : at + size]
        at += size
