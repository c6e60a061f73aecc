"""The usage of a fused answer: what all its calls used together. Knows no stage and no socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from orchestrator.decision import Attempt
from orchestrator.trace import Trace
from orchestrator.types import Chunk, Draft, Emit, Usage
from orchestrator.wire import read_usage, with_usage

__all__ = ["Totalled", "used", "with_total"]


@dataclass(frozen=True, slots=True)
class Totalled:
    """An `emit` that adds to the usage of a stream what calls used that have ended; other chunks pass as they are.

    emit: where the chunks go. trace: of the request.
    """

    emit: Emit
    trace: Trace

    async def __call__(self, chunk: Chunk) -> None:
        if b'"usage"' in chunk.raw:
            chunk = _with_more(chunk, used(self.trace.attempts))
        await self.emit(chunk)


def used(attempts: Sequence[Attempt]) -> Usage:
    """The tokens of all of them."""
    counted = [attempt.tokens for attempt in attempts if attempt.tokens is not None]
    return Usage(input_tokens=sum(c.input for c in counted), output_tokens=sum(c.output for c in counted))


def with_total(draft: Draft, attempts: Sequence[Attempt]) -> Draft:
    """An answer that says what all calls used, its own included."""
    total = used(attempts)
    completion = draft.completion and with_usage(draft.completion, total)
    return replace(draft, usage=total, completion=completion)


def _with_more(chunk: Chunk, more: Usage) -> Chunk:
    counted = orjson.loads(chunk.raw).get("usage")
    if not isinstance(counted, dict):  # null in all chunks but the last
        return chunk
    return Chunk(with_usage(chunk.raw, read_usage(counted) + more))
