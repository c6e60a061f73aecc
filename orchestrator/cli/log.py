"""Where logs go: stderr, one line an event, coloured on a terminal and JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

__all__ = ["configure_log"]

Level = Literal["debug", "info", "warning", "error"]


def configure_log(*, least: Level = "info") -> None:
    """Set up structlog and the standard library's root logger alike; called by verbs, never at import."""
    level = getattr(logging, least.upper())
    on_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s", force=True
    )
