"""Places for calls of one expert: so many at once, and a bounded queue for those who wait. Makes no calls itself."""

from __future__ import annotations

import anyio

from orchestrator import clock
from orchestrator.errors import ExpertBusy

__all__ = ["Places"]

_NEW_SHARE = 0.2
"""Weight of the latest call in the mean of how long a place is held."""
_UNKNOWN_S = 1.0
"""How long a call is told to wait while none has ended yet."""
_MARGIN_S = 0.05
_MARGIN_SHARE = 0.1
"""A call that waits leaves so much before its time is up (the smaller of the two), so that it can still say why."""


class Places:
    """`most` calls at a time, `queue` more that wait, each at most `max_wait_s`; served in the order of coming.

    A call that is cancelled while it waits leaves the queue, and one to which a place was given at that very moment
    gives it back.
    """

    def __init__(self, expert: str, *, most: int, queue: int, max_wait_s: float | None = None) -> None:
        self._expert = expert
        self._most = most
        self._queue = queue
        self._max_wait_s = max_wait_s
        self._free = anyio.Semaphore(most)
        self._held_s: float | None = None
        self.waiting = 0

    async def take(self, until: float) -> float:
        """Wait for a place, at most until then on anyio's clock; who has taken one gives it back with `free`.

        Returns how many seconds the wait was.

        Raises:
            ExpertBusy: too many wait already, or so many that the wait would be too long, or it was.

        """
        try:
            self._free.acquire_nowait()
        except anyio.WouldBlock:
            return await self._wait(until)
        return 0.0

    def free(self, *, held_s: float | None = None) -> None:
        """Give a place back, to the first who waits; `held_s` is how long a call had it, None where it was not used."""
        if held_s is not None:
            before_s = held_s if self._held_s is None else self._held_s
            self._held_s = before_s + _NEW_SHARE * (held_s - before_s)
        self._free.release()

    def expected_wait_s(self) -> float | None:
        """How long the next who comes would wait at the rate of the latest calls; None before any has ended."""
        return None if self._held_s is None else (self.waiting + 1) * self._held_s / self._most

    async def _wait(self, until: float) -> float:
        if self.waiting >= self._queue:
            raise self._busy(f"and {self.waiting} calls wait")
        came_at = clock.now()
        limit_s = self._limit_s(until - came_at)
        expected_s = self.expected_wait_s() or 0.0
        if expected_s > limit_s:
            raise self._busy(f"and one would be free in about {expected_s:.1f} s, more than the {limit_s:.1f} s left")
        self.waiting += 1
        try:
            with anyio.move_on_after(limit_s):
                await self._free.acquire()
                return clock.now() - came_at
        finally:
            self.waiting -= 1
        raise self._busy(f"and none became free within {limit_s:.1f} s")

    def _limit_s(self, left_s: float) -> float:
        limit_s = left_s - min(_MARGIN_S, _MARGIN_SHARE * left_s)
        return limit_s if self._max_wait_s is None else min(limit_s, self._max_wait_s)

    def _busy(self, why: str) -> ExpertBusy:
        """Retry-After: when those who wait now will have been served."""
        expected_s = self.expected_wait_s()
        wait_s = _UNKNOWN_S if expected_s is None else expected_s
        return ExpertBusy(self._expert, f"all its {self._most} places are taken, {why}", retry_after_s=wait_s)
