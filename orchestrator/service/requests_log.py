"""One line a chat request in the log: who answered, in what time, at what cost; no content."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from orchestrator.trace import Trace

__all__ = ["log_request", "request_log"]

log = structlog.get_logger()


def request_log() -> Callable[[Trace], None]:
    """What writes these lines: for people on a terminal, else JSON like all of the log, straight to stderr."""
    try:
        place = sys.stderr.fileno()
    except (OSError, ValueError):  # replaced by something that is no file
        return log_request
    return log_request if os.isatty(place) else _Straight(place)


def log_request(trace: Trace) -> None:
    """The line, through whatever the log is set up to be."""
    fields = _fields(trace)
    log.info(fields.pop("event"), **fields)


class _Straight:
    """Writes without the log's machinery, which costs as much as choosing an expert does."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, trace: Trace) -> None:
        line = {**_fields(trace), "level": "info", "timestamp": datetime.now(UTC)}
        with suppress(OSError):  # nobody reads the log any more, or its disk is full: no reason to fail a request
            os.write(self._place, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))


def _fields(trace: Trace) -> dict[str, Any]:
    return {
        "event": trace.outcome,
        "decision": trace.id,
        "model": trace.model,
        "category": trace.categorized.category if trace.categorized else None,
        "expert": trace.expert,
        "error": trace.error.kind if trace.error else None,
        "total_ms": trace.total_ms,
        "overhead_ms": trace.overhead_ms,
        "cost_usd": trace.cost_usd,
    }
