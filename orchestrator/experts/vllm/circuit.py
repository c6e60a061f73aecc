"""The circuit breaker of one server: closed, open, half-open. Does no I/O and reads no clock: `now` is given.

It serves the choice among several servers; whether an expert is asked at all is the matter of the expert's own breaker.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random

from orchestrator.experts.protocol import BreakerState

__all__ = ["Circuit", "Rules", "Ticket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a circuit opens, and for how long.

    in_a_row: failures without a success between them that open it.
    window, least, share: it also opens when of the latest `window` answers, at least `least`, this share failed.
    first_open_s, most_open_s: the first open time, which doubles with each further opening, up to the most. A circuit
        that stayed closed for `most_open_s` starts over.
    jitter: up to this share is added by chance, so that servers which failed together are not tried together.
    """

    in_a_row: int = 3
    window: int = 20
    least: int = 10
    share: float = 0.5
    first_open_s: float = 1.0
    most_open_s: float = 30.0
    jitter: float = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """One request that was let through. period: the circuit's when it was; trial: whether it is the half-open one."""

    period: int
    trial: bool


class Circuit:
    """closed -> open (for a while) -> half-open (one trial) -> closed, or open again for longer.

    Each request takes a ticket from `enter`, and gives it back with `succeeded`, `failed` or `left`. One that began
    before the circuit opened last says nothing about the time since, so its outcome does not count.
    """

    def __init__(self, random: Random, rules: Rules | None = None) -> None:
        self._random = random
        self._rules = rules or Rules()
        self._outcomes: deque[bool] = deque(maxlen=self._rules.window)
        self._in_a_row = 0
        self._period = 0
        self._until: float | None = None
        self._closed_at = 0.0
        self._trial: Ticket | None = None
        self._absent = False
        self._level = 0
        self.openings = 0
        """How often it has opened."""

    @property
    def closed(self) -> bool:
        """Whether requests go through as they come."""
        return self._until is None

    def state(self, now: float) -> BreakerState:
        """Where it stands."""
        if self._until is None:
            return "closed"
        return "open" if now < self._until else "half-open"

    def trial_due(self, now: float) -> bool:
        """Whether the next request would be the trial: half-open, and none under way."""
        return self._trial is None and self.state(now) == "half-open"

    def open_for_s(self, now: float) -> float:
        """Seconds until a trial is due; 0 where one is, or where it is closed."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def enter(self, now: float) -> Ticket:
        """Let a request through. Whether to is the caller's choice: where all are open, somebody must be asked."""
        ticket = Ticket(self._period, self.trial_due(now))
        if ticket.trial:
            self._trial = ticket
        return ticket

    def begun(self, ticket: Ticket, now: float) -> None:
        """The answer has begun: a server that was left alone is back, and need not finish to be asked again."""
        if ticket.period == self._period and self._until is not None:
            self._close(now)

    def succeeded(self, ticket: Ticket, now: float) -> None:
        """The answer is whole."""
        self.begun(ticket, now)
        if ticket.period == self._period:
            self._in_a_row = 0
            self._outcomes.append(True)

    def failed(self, ticket: Ticket, now: float, *, absent: bool = False) -> None:
        """It went wrong by the server's fault; `absent` where nobody was there, which opens at once."""
        if ticket.period != self._period:
            return
        if self._until is not None:
            if ticket is self._trial:
                self._open(now, absent=absent)
            return
        self._in_a_row += 1
        self._outcomes.append(False)
        if absent or self._in_a_row >= self._rules.in_a_row or self._fails_often():
            self._open(now, absent=absent)

    def left(self, ticket: Ticket) -> None:
        """It ended without telling anything about the server; a trial is free again."""
        if ticket is self._trial:
            self._trial = None

    def seen_well(self, now: float) -> None:
        """A health probe went well: closes it where nobody had been there. Bad answers are no matter of a probe."""
        if self._until is not None and self._absent:
            self._close(now)

    def _fails_often(self) -> bool:
        failures = self._outcomes.count(False)
        return len(self._outcomes) >= self._rules.least and failures >= self._rules.share * len(self._outcomes)

    def _open(self, now: float, *, absent: bool) -> None:
        rules = self._rules
        if self._until is None and now - self._closed_at >= rules.most_open_s:
            self._level = 0
        open_s = min(rules.most_open_s, rules.first_open_s * 2.0**self._level)
        self._until = now + open_s * (1 + rules.jitter * self._random.random())
        self._level = min(self._level + 1, 32)
        self._absent = absent
        self.openings += 1
        self._begin_period()
        self._period += 1

    def _close(self, now: float) -> None:
        self._until = None
        self._closed_at = now
        self._begin_period()

    def _begin_period(self) -> None:
        self._trial = None
        self._in_a_row = 0
        self._outcomes.clear()
