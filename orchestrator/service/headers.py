"""The response headers that say what was decided. All are read from the one decision."""

from __future__ import annotations

from orchestrator.trace import Trace

__all__ = ["PREFIX", "decision_headers"]

PREFIX = "x-orchestrator-"


def decision_headers(trace: Trace) -> dict[str, str]:
    """The small default set; what is not known yet (the cost of a stream) is left out."""
    decision = trace.decision()
    values: dict[str, str | None] = {
        "schema-version": str(decision.schema_version),
        "decision-id": decision.id,
        "path": decision.choose.plan if decision.choose else None,
        "category": decision.categorize.category if decision.categorize else None,
        "confidence": _share(decision.categorize.confidence if decision.categorize else None),
        "expert": decision.expert,
        "attempts": str(trace.attempts_made),
        "cost-usd": f"{decision.cost_usd:.8f}" if trace.closed else None,
        "overhead-ms": f"{decision.overhead_ms:.1f}" if trace.closed else None,
    }
    return {PREFIX + name: value for name, value in values.items() if value is not None}


def _share(confidence: float | None) -> str | None:
    return None if confidence is None else f"{confidence:.4f}"
