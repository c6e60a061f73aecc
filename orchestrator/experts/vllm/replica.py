"""One server of an expert: what is known of it, and one request's stay on it. Does no I/O.

What counts as its failure stands here, in `Visit.__exit__` and `_ABSENT`, `_FAILED`: see docs/fleet.md for the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from orchestrator import clock
from orchestrator.errors import (
    ExpertCut,
    ExpertError,
    ExpertFailed,
    ExpertLate,
    ExpertOverloaded,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.vllm.circuit import Circuit
from orchestrator.experts.vllm.load import LoadReport, Pressure

__all__ = ["Replica", "Visit"]

MOST_REST_S = 60.0
"""A server that asks to be left alone is, up to this; a day's Retry-After would take it away until somebody looks."""
_TIRED_S = 1.0
_ABSENT = (ExpertUnavailable,)
_FAILED = (ExpertFailed, ExpertTimeout, ExpertCut)


@dataclass(slots=True, eq=False)
class Replica:
    """One server.

    url: its address, without /v1. shown: the same without user name and password.
    in_flight: requests of ours under way. requests, failures: of ours so far. turn: the number of the pick that chose
        it last.
    resting_until: on anyio's clock, it asked to be left alone until then. tired_until: it refused more requests without
        saying for how long; the others come first until then.
    trouble: why its last health probe failed, empty when it did not; None before the first.
    last_trouble: the last thing that went wrong, of a probe or a request; empty where nothing has.
    """

    url: str
    circuit: Circuit = field(default_factory=lambda: Circuit(Random()))  # noqa: S311 - no secret
    in_flight: int = 0
    requests: int = 0
    failures: int = 0
    turn: int = 0
    resting_until: float = -math.inf
    tired_until: float = -math.inf
    trouble: str | None = None
    last_trouble: str = ""
    shown: str = field(init=False)
    _report: LoadReport | None = None
    _pressure: Pressure | None = None
    _reported_at: float = -math.inf

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def resting(self, now: float) -> bool:
        """Whether it asked to be left alone."""
        return now < self.resting_until

    def well(self, now: float) -> bool:
        """Whether nothing speaks against asking it."""
        return not self.trouble and self.circuit.closed and now >= self.resting_until and now >= self.tired_until

    def trial_due(self, now: float) -> bool:
        """Whether one request should find out if it is back."""
        return not self.trouble and not self.resting(now) and self.circuit.trial_due(now)

    def visit(self, *, silence_s: float = math.inf) -> Visit:
        """The stay of one request, as a block around it; see `Visit`."""
        return Visit(self, silence_s)

    def probed(self, trouble: str, now: float) -> None:
        """Note a health probe; `trouble` is empty when the server is well."""
        self.trouble = trouble
        if trouble:
            self.last_trouble = trouble
        else:
            self.circuit.seen_well(now)

    def reported(self, report: LoadReport | None, now: float) -> None:
        """Note what it says about its load; None where it says nothing, which leaves the last report to age."""
        if report is not None:
            self._report, self._reported_at = report, now
            self._pressure = Pressure.of(report, in_flight=self.in_flight)

    def report(self, now: float, *, most_age_s: float) -> LoadReport | None:
        """The last report; None where there is none, or an old one."""
        return self._report if now - self._reported_at <= most_age_s else None

    def pressure(self, now: float, *, most_age_s: float) -> Pressure | None:
        """What the last report adds to our own requests; None where there is none, or an old one."""
        return self._pressure if now - self._reported_at <= most_age_s else None


class Visit:
    """One request on one server: `with replica.visit() as visit:`; `visit.begun()` when its answer begins.

    What leaves the block decides what the server learns: nothing (a whole answer) is a success, an `ExpertError` that
    is the server's fault a failure, any other one says nothing, nor does being cancelled; but a stream that had been
    silent for `silence_s` when it was is a failure, whoever lost patience.
    """

    __slots__ = ("_asked_at", "_begun", "_replica", "_silence_s", "_ticket")

    def __init__(self, replica: Replica, silence_s: float) -> None:
        self._replica = replica
        self._silence_s = silence_s
        self._begun = False

    def __enter__(self) -> Self:
        replica = self._replica
        self._asked_at = clock.now()
        self._ticket = replica.circuit.enter(self._asked_at)
        replica.in_flight += 1
        replica.requests += 1
        return self

    @property
    def has_begun(self) -> bool:
        """Whether its answer has begun."""
        return self._begun

    @property
    def waited_s(self) -> float:
        """Seconds since the server was asked."""
        return clock.now() - self._asked_at

    def begun(self) -> None:
        """The first piece of the answer is there."""
        self._begun = True
        self._replica.circuit.begun(self._ticket, clock.now())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        replica, now = self._replica, clock.now()
        replica.in_flight -= 1
        if error is None:
            replica.circuit.succeeded(self._ticket, now)
        elif isinstance(error, ExpertError) and not isinstance(error, ExpertLate):
            self._blame(error, now)
        elif not self._begun and now - self._asked_at >= self._silence_s:
            self._failed(f"{replica.shown}: nothing came for {now - self._asked_at:.1f} s", now)
        else:
            replica.circuit.left(self._ticket)

    def _blame(self, error: ExpertError, now: float) -> None:
        replica = self._replica
        if error.retry_after_s is not None:
            replica.resting_until = max(replica.resting_until, now + min(error.retry_after_s, MOST_REST_S))
        elif isinstance(error, ExpertOverloaded):
            replica.tired_until = now + _TIRED_S
        if isinstance(error, _ABSENT + _FAILED):
            self._failed(str(error), now, absent=isinstance(error, _ABSENT))
            return
        replica.last_trouble = str(error)
        replica.circuit.left(self._ticket)

    def _failed(self, why: str, now: float, *, absent: bool = False) -> None:
        self._replica.failures += 1
        self._replica.last_trouble = why
        self._replica.circuit.failed(self._ticket, now, absent=absent)
