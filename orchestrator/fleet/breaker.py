"""A circuit breaker: after repeated failures, leave a thing alone for a while, then try it with one call."""

from __future__ import annotations

import anyio

__all__ = ["Breaker"]


class Breaker:
    """closed -> (`failures` in a row) -> open -> (`open_s` later, one trial) -> closed or open again.

    Clock: `anyio.current_time()`. A caller that gets True from `allows` reports `succeeded` or `failed`; a trial
    that reports neither (its caller was cancelled) frees the next one after another `open_s`.
    """

    def __init__(self, *, failures: int, open_s: float) -> None:
        self._limit = failures
        self._open_s = open_s
        self._in_a_row = 0
        self._trial_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are being refused (a trial may be due)."""
        return self._trial_at is not None

    def allows(self) -> bool:
        """Whether to make the call; in the open state True once for every `open_s`."""
        if self._trial_at is None:
            return True
        now = anyio.current_time()
        if now < self._trial_at:
            return False
        self._trial_at = now + self._open_s
        return True

    def succeeded(self) -> None:
        """Close it: the thing works."""
        self._in_a_row = 0
        self._trial_at = None

    def failed(self) -> None:
        """Count a failure; opens at the limit, and at once after a failed trial."""
        self._in_a_row += 1
        if self._in_a_row >= self._limit:
            self._trial_at = anyio.current_time() + self._open_s
