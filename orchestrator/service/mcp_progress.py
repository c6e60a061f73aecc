"""The progress of one call as the protocol wants it: each number is larger than the one before.

Experts count for themselves, several at a time, and stages one after the other; here is one count of what all of them
have done. Knows no transport.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from orchestrator.types import Progress

__all__ = ["Steps"]

Send = Callable[[float, float | None, str | None], Awaitable[None]]


class Steps:
    """Adds up what is told. send: takes the sum, what it may come to (None: not known) and words for people."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._latest: dict[str, Progress] = {}
        self._sum = 0.0
        self._silent = True

    async def tell(self, progress: Progress) -> None:
        """Pass it on, unless nothing has been done since: who begins again begins a new stage."""
        before = self._latest.get(progress.expert)
        self._latest[progress.expert] = progress
        if before == progress:
            return
        step = progress.done - (before.done if before is not None else 0.0)
        if before is not None and step <= 0:
            step = progress.done
        if step <= 0 and not self._silent:
            return
        self._sum += max(step, 0.0)
        self._silent = False
        left = None if progress.total is None else max(progress.total - progress.done, 0.0)
        words = f"{progress.expert}: {progress.message}" if progress.message else progress.expert
        await self._send(self._sum, None if left is None else self._sum + left, words)
