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


def decision_headers(trace: Trace, *, verbose: bool = False) -> dict[str, str]:
    """The small default set, or all; what is not known yet (the cost of a stream) is left out."""
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
    return values | _more(trace) if verbose else values


def header_lines(trace: Trace, *, verbose: bool = False) -> bytes:
    """The same as they go over the wire, each with its line end; categories and experts are names without one."""
    values = decision_headers(trace, verbose=verbose)
    return "".join([f"{name}: {value}\r\n" for name, value in values.items()]).encode("latin-1", "replace")


def _more(trace: Trace) -> dict[str, str]:
    """What the header `x-orchestrator-debug` asks for. Reasons may quote a classifier: kept to one line."""
    values: dict[str, str] = {}
    if (first := trace.categorized) is not None:
        values |= {"method": first.method, "categorize-ms": f"{first.took_ms:.1f}", "context": str(first.context)}
        values |= {"category-set": ",".join(first.category_set), "generation": first.generation or ""}
        values |= {"gate": first.gate.fired or "" if first.gate is not None else ""}
        if len(first.posterior) > 1:
            best, next_best = first.posterior[:2]
            values |= {"runner-up": next_best.category, "margin": f"{best.probability - next_best.probability:.4f}"}
    if (second := trace.chosen) is not None:
        values |= {"choose-ms": f"{second.took_ms:.1f}", "reason": second.reason, "experts": ",".join(second.experts)}
        if (session := second.session) is not None:
            values["session"] = f"{'stays with' if session.kept else 'leaves'} {session.expert}"
    if trace.verdict is not None:
        values["verdict"] = trace.verdict.kind
    return {PREFIX + name: " ".join(value.split()) for name, value in values.items() if value}
