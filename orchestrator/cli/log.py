"""Where logs go: stderr, one line an event, coloured on a terminal and JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Literal

import orjson
import structlog

__all__ = ["configure_log"]

Level = Literal["debug", "info", "warning", "error"]


def configure_log(*, least: Level = "info") -> None:
    """Set up structlog and the standard library's root logger alike; called by verbs, never at import."""
    level = getattr(logging, least.upper())
    on_terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = structlog.dev.ConsoleRenderer()
    factory: Callable[..., object] = structlog.PrintLoggerFactory(sys.stderr)
    if not on_terminal and hasattr(sys.stderr, "buffer"):  # one line a request: it has to be cheap
        renderer = structlog.processors.JSONRenderer(serializer=_json)
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    elif not on_terminal:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s", force=True
    )


def _json(event: object, **_: object) -> bytes:
    return orjson.dumps(event, default=repr)
