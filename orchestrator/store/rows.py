"""Decisions as rows, and the sums of their use. Knows no database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from pydantic_core import PydanticSerializationError

from orchestrator.decision import Decision
from orchestrator.trace import Trace

__all__ = ["Ended", "decision_row", "sums_by_day"]


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that has ended. content: whether its texts are kept. caller: the key's id, empty without keys."""

    trace: Trace
    content: bool
    caller: str = ""


def decision_row(ended: Ended) -> dict[str, Any]:
    """The row of a decision, as `tables.DECISIONS` has it."""
    trace = ended.trace
    decision = trace.decision() if ended.content else trace.decision().without_content()
    counted = [attempt.tokens for attempt in decision.attempts if attempt.tokens is not None]
    return {
        "id": decision.id,
        "created": decision.created,
        "caller": ended.caller,
        "model": decision.model,
        "category": decision.categorize.category if decision.categorize else None,
        "expert": decision.expert,
        "outcome": trace.outcome,
        "cost_usd": decision.cost_usd,
        "total_ms": decision.total_ms,
        "input_tokens": sum(tokens.input for tokens in counted),
        "output_tokens": sum(tokens.output for tokens in counted),
        "body": _writable(decision),
    }


def sums_by_day(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The use that these decisions were, by caller and UTC day, in a steady order."""
    sums: dict[tuple[str, date], dict[str, Any]] = {}
    for row in rows:
        key = row["caller"], row["created"].astimezone(UTC).date()
        found = sums.setdefault(
            key,
            {
                "caller": key[0],
                "day": key[1],
                "requests": 0,
                "failed": 0,
                "input_tokens": 0,
                "output_tokens": 0,
                "cost_usd": 0.0,
            },
        )
        found["requests"] += 1
        found["failed"] += row["outcome"] == "failed"
        for name in ("input_tokens", "output_tokens", "cost_usd"):
            found[name] += row[name]
    return [sums[key] for key in sorted(sums)]


def _writable(decision: Decision) -> str:
    """As JSON; what no database takes (NUL, lone surrogates, in texts of clients) is replaced."""
    try:
        told = decision.model_dump_json()
    except PydanticSerializationError:
        told = json.dumps(decision.model_dump(mode="json"), ensure_ascii=False)
        told = told.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return told.replace("\\u0000", "\\ufffd")


def ids_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The ids, in order."""
    return [str(row["id"]) for row in rows]
