"""The response headers that say what was decided. All are read from the one trace."""

from __future__ import annotations

from orchestrator.trace import Trace

__all__ = ["PREFIX", "decision_headers", "header_lines"]

PREFIX = "x-orchestrator-"
_VERSION = f"{PREFIX}schema-version"
_ID = f"{PREFIX}decision-id"
_PATH = f"{PREFIX}path"
_CATEGORY = f"{PREFIX}category"
_CONFIDENCE = f"{PREFIX}confidence"
_EXPERT = f"{PREFIX}expert"
_ATTEMPTS = f"{PREFIX}attempts"
_COST = f"{PREFIX}cost-usd"
_OVERHEAD = f"{PREFIX}overhead-ms"


def decision_headers(trace: Trace) -> dict[str, str]:
    """The small default set; what is not known yet (the cost of a stream) is left out."""
    values = {_VERSION: "1", _ID: trace.id, _ATTEMPTS: str(trace.attempts_made)}
    if trace.chosen is not None:
        values[_PATH] = trace.chosen.plan
    if trace.categorized is not None:
        if trace.categorized.category is not None:
            values[_CATEGORY] = trace.categorized.category
        if trace.categorized.confidence is not None:
            values[_CONFIDENCE] = f"{trace.categorized.confidence:.4f}"
    if trace.expert is not None:
        values[_EXPERT] = trace.expert
    if trace.closed:
        values[_COST] = f"{trace.cost_usd:.8f}"
        values[_OVERHEAD] = f"{trace.overhead_ms:.1f}"
    return values


def header_lines(trace: Trace) -> bytes:
    """The same as they go over the wire, each with its line end; categories and experts are names without one."""
    return "".join([f"{name}: {value}\r\n" for name, value in decision_headers(trace).items()]).encode("latin-1")
