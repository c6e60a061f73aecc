"""What became of one streamed answer of numbered tokens: whole, refused, broken off with a reason, or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from orchestrator.testing import Traced, UntraceableError, traced

__all__ = ["Outcome", "OutcomeKind", "of_refusal", "of_stream"]

OutcomeKind = Literal["whole", "refused", "broken", "bad"]
_DONE = b"[DONE]"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one request for a stream ended.

    kind: `whole` is every token of one server, once and in order, then `[DONE]`; `refused` an error with its reason
        before the first byte; `broken` the beginning of such an answer, then one error event with its reason and no
        `[DONE]`; `bad` all else.
    reason: of the error, or what is bad. status: of HTTP, 0 where none came. origin: whose tokens, None without any.
    took_s, first_s: seconds to the end and to the first byte of the body.
    """

    kind: OutcomeKind
    reason: str = ""
    status: int = _OK
    origin: Traced | None = None
    took_s: float = 0.0
    first_s: float | None = None


def of_refusal(status: int, body: bytes) -> Outcome:
    """That of an answer whose status is not 200."""
    try:
        reason = _reason(orjson.loads(body))
    except orjson.JSONDecodeError:
        reason = ""
    if not reason:
        return Outcome(kind="bad", reason=f"status {status} without a reason: {body[:200]!r}", status=status)
    return Outcome(kind="refused", reason=reason, status=status)


def of_stream(body: bytes, *, tag: str) -> Outcome:
    """That of a whole body of server-sent events. tag: the first word of what was asked."""
    *events, rest = body.split(b"\n\n")
    if rest or not all(event.startswith(b"data: ") for event in events):
        return Outcome(kind="bad", reason=f"not made of whole events: {body[-200:]!r}")
    data = [event.removeprefix(b"data: ") for event in events]
    try:
        chunks = [orjson.loads(each) for each in data if each != _DONE]
        text = "".join(_piece(chunk) for chunk in chunks)
        origin = traced(text) if text else None
    except (ValueError, LookupError, TypeError) as error:
        return Outcome(kind="bad", reason=f"an event that is no chunk ({error})")
    except UntraceableError as error:
        return Outcome(kind="bad", reason=str(error))
    if origin is not None and origin.tag != tag:
        return Outcome(kind="bad", reason=f"the answer to {origin.tag!r}, not to {tag!r}", origin=origin)
    return _ended(data, chunks, origin)


def _ended(data: Sequence[bytes], chunks: Sequence[Mapping[str, Any]], origin: Traced | None) -> Outcome:
    """By what stands at the end, given that what stands before is in order."""
    errors = [_reason(chunk) for chunk in chunks if "error" in chunk]
    done = data.count(_DONE)
    if errors:
        if len(errors) == 1 and errors[0] and not done and "error" in chunks[-1]:
            return Outcome(kind="broken", reason=errors[0], origin=origin)
        return Outcome(kind="bad", reason=f"{len(errors)} errors, {done} ends: {data[-3:]}", origin=origin)
    if done != 1 or data[-1] != _DONE:
        return Outcome(kind="bad", reason=f"no error and {done} ends", origin=origin)
    if origin is None or not origin.whole:
        return Outcome(kind="bad", reason="it ends with [DONE], and tokens are missing", origin=origin)
    return Outcome(kind="whole", origin=origin)


def _piece(chunk: Mapping[str, Any]) -> str:
    """The text of one chunk, empty of an error."""
    if "error" in chunk:
        return ""
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _reason(body: object) -> str:
    """What OpenAI's error object says."""
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message") or "") if isinstance(error, dict) else ""
