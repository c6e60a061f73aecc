"""Whether an answer is one that the service should give: well-formed, with its reason, and without its insides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from eval.fuzz.exchange import Seen

__all__ = ["problem"]

_STATUSES = frozenset({200, 202, 307, 400, 401, 403, 404, 405, 406, 408, 413, 415, 421, 429, 431, 502, 503, 504})
"""Any other, 500 first of all, is a defect; 307 leads to the same path without the slash at its end."""
_INSIDES = re.compile(rb'Traceback \(most recent|File \\?"[^"]+\.py|Internal error|object at 0x[0-9a-f]{6}')
_REFUSED = 400
_LAST_OF_RESPONSES = frozenset({"response.completed", "response.incomplete", "response.failed"})
_LAST_OF_MESSAGES = frozenset({"message_stop", "error"})

Event = tuple[str, Any]
"""The type of an event, and its data: JSON, or `[DONE]`."""


def problem(path: str, seen: Seen, *, whole: bool = True) -> str:
    """What is wrong with an answer, empty where nothing is.

    whole: whether the request was; to another one it is well to say nothing, and to hang up.
    """
    if seen.late or seen.malformed:
        return seen.malformed or "no end in time"
    if seen.status not in _STATUSES and (whole or seen.status):
        return f"status {seen.status}: {seen.body[:200]!r}"
    if not seen.whole:
        return f"cut after {seen.body[-100:]!r}" if whole else ""
    if found := _INSIDES.search(seen.body):
        return f"tells of its insides: {found[0]!r}"
    return _body_problem(path, seen)


def _body_problem(path: str, seen: Seen) -> str:
    if seen.media == "text/event-stream":
        return _stream_problem(path, seen.body)
    if seen.media != "application/json":
        return "" if not seen.body or seen.media.startswith("text/plain") else f"a body of type {seen.media!r}"
    if not seen.body:
        return ""  # of HEAD
    try:
        body = orjson.loads(seen.body)
    except orjson.JSONDecodeError as error:
        return f"a body that is no JSON ({error})"
    return "" if seen.status < _REFUSED else _error_problem(body)


def _error_problem(body: Any) -> str:
    """OpenAI's, Anthropic's or JSON-RPC's error object with a reason; a service that is not ready says it otherwise."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str) and error["message"]:
        return ""
    return f"an error without a reason: {body!r:.200}"


def _stream_problem(path: str, body: bytes) -> str:
    try:
        events = list(_events(body))
    except (ValueError, UnicodeDecodeError) as error:
        return f"a stream that is none ({error})"
    if not events:
        return "a stream without events"
    return _ENDS.get(path, _ended_chat)(events)


def _events(body: bytes) -> Sequence[Event]:
    """By the rules of server-sent events; ValueError where it has half an event, or data that is no JSON."""
    text = body.decode().replace("\r\n", "\n").replace("\r", "\n")
    *blocks, rest = text.split("\n\n")
    if rest:
        raise ValueError(f"half an event at the end: {rest[-100:]!r}")
    events = []
    for block in blocks:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, colon, value = line.partition(":")
            if name and not colon:
                raise ValueError(f"a line that is no field: {line[:100]!r}")
            fields[name] = value.removeprefix(" ")
        if "data" in fields:
            data = fields["data"]
            events.append((fields.get("event", ""), data if data == "[DONE]" else orjson.loads(data)))
    return events


def _ended_chat(events: Sequence[Event]) -> str:
    *before, (_, last) = events
    if any(data == "[DONE]" or "error" in data for _, data in before):
        return "goes on after its end"
    if last == "[DONE]":
        return ""
    return "ends without [DONE] and without an error" if "error" not in last else _error_problem(last)


def _typed(last: frozenset[str], *, first: str) -> Callable[[Sequence[Event]], str]:
    def ended(events: Sequence[Event]) -> str:
        kinds = [data.get("type") if isinstance(data, dict) else None for _, data in events]
        if any(name != kind for (name, _), kind in zip(events, kinds, strict=True)):
            return "an event of another type than its data"
        if kinds[-1] not in last:
            return f"ends with {kinds[-1]!r}"
        if any(kind in last for kind in kinds[:-1]):
            return "goes on after its end"
        return "" if kinds[0] in {first, "error"} else f"begins with {kinds[0]!r}"

    return ended


def _ended_agents(events: Sequence[Event]) -> str:
    _, last = events[-1]
    return "" if isinstance(last, dict) and ("result" in last or "error" in last) else f"ends with {last!r:.100}"


_ENDS: Mapping[str, Callable[[Sequence[Event]], str]] = {
    "/v1/responses": _typed(_LAST_OF_RESPONSES, first="response.created"),
    "/v1/messages": _typed(_LAST_OF_MESSAGES, first="message_start"),
    "/mcp": _ended_agents,
}
