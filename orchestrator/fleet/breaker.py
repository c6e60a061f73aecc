"""A circuit breaker: after repeated failures, leave a thing alone for a while, then try it with few calls."""

from __future__ import annotations

from orchestrator import clock

__all__ = ["Breaker"]


class Breaker:
    """closed -> (`failures` in a row) -> open -> (`open_s` later, half-open: trials) -> closed, or open again.

    trials: calls under way at most while it is half-open. most_open_s: each trial that fails doubles the time until
    the next one, up to this; by default it stays the same. Clock: `anyio.current_time()`.

    A caller that gets True from `allows` reports `succeeded`, `failed` or `left`, and gives `since`, which is `period`
    as it was then: what becomes of a call that began before the breaker opened says nothing about a trial. A trial that
    never reports frees the next one after another `open_s`.
    """

    def __init__(self, *, failures: int, open_s: float, trials: int = 1, most_open_s: float | None = None) -> None:
        self._limit = failures
        self._first_open_s = self._open_s = open_s
        self._most_open_s = most_open_s or open_s
        self._trials = trials
        self._in_a_row = 0
        self._trial_at: float | None = None
        self._half_open = False
        self._on_trial = 0
        self.period = 0
        """Counts its openings and closings."""

    @property
    def is_open(self) -> bool:
        """Whether it is not closed (a trial may be due, or under way)."""
        return self._trial_at is not None

    @property
    def in_a_row(self) -> int:
        """Failures since the last success."""
        return self._in_a_row

    @property
    def wait_s(self) -> float:
        """Seconds until it lets a call through, as it stands; 0 when it does now."""
        if self._trial_at is None or self._room:
            return 0.0
        return max(0.0, self._trial_at - clock.now())

    def allows(self) -> bool:
        """Whether to make the call; where it is not closed, a call that it allows is a trial."""
        if self._trial_at is None:
            return True
        now = clock.now()
        if now >= self._trial_at:
            self._half_open, self._on_trial = True, 0
            self._trial_at = now + self._open_s
        elif not self._room:
            return False
        self._on_trial += 1
        return True

    def succeeded(self, *, since: int | None = None) -> None:
        """Close it: the thing works."""
        if since not in (None, self.period):
            return
        self._in_a_row = 0
        if self._trial_at is not None:
            self._trial_at, self._half_open = None, False
            self._open_s = self._first_open_s
            self.period += 1

    def failed(self, *, since: int | None = None, rest_s: float = 0.0) -> None:
        """Count a failure; opens at the limit, and at once after a failed trial. rest_s: leave it alone for longer."""
        if since not in (None, self.period) or (self.is_open and not self._half_open):
            return
        self._in_a_row += 1
        if self._half_open:
            self._open_s = min(self._most_open_s, 2 * self._open_s)
        elif self._in_a_row < self._limit:
            return
        self._half_open = False
        self._trial_at = clock.now() + max(self._open_s, rest_s)
        self.period += 1

    def left(self, *, since: int) -> None:
        """Take note of a call that ended and tells nothing, because its caller left: the next trial is free."""
        if self._half_open and since == self.period:
            self._on_trial = max(0, self._on_trial - 1)

    def make_due(self) -> None:
        """Let the next call be a trial: something else says that the thing is back."""
        if self._trial_at is not None:
            self._trial_at = min(self._trial_at, clock.now())

    @property
    def _room(self) -> bool:
        return self._half_open and self._on_trial < self._trials
