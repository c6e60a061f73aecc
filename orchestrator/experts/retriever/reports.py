"""Tells the log now and then how far a long build is. Knows nothing of what is built."""

from __future__ import annotations

import time

import structlog

__all__ = ["Reports"]

log = structlog.get_logger()

_EVERY_S = 10.0


class Reports:
    """A `Progress` that writes a line every ten seconds; nothing of what is done sooner."""

    def __init__(self, expert: str) -> None:
        self._expert = expert
        self._told_at = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Takes note of how far `what` is."""
        now = time.monotonic()
        if now - self._told_at >= _EVERY_S:
            self._told_at = now
            log.info("retriever.building", expert=self._expert, doing=what, done=done, total=total)
