"""Requests that hold an expert awake, and those that wait for one. Knows no servers and no bytes."""

from __future__ import annotations

import anyio

from orchestrator.errors import ExpertError, ExpertLate
from orchestrator.fleet.residency.queueing import Queue
from orchestrator.fleet.residency.seats import Seat

__all__ = ["Waiter", "Waiting"]


class Waiter:
    """One request that waits for its lease, which it gets or is refused."""

    __slots__ = ("_done", "asker", "granted", "refusal")

    def __init__(self, asker: str) -> None:
        self.asker = asker
        self.granted = False
        self.refusal: ExpertError | None = None
        self._done = anyio.Event()

    def grant(self) -> None:
        """It has its lease from now on."""
        self.granted = True
        self._done.set()

    def refuse(self, error: ExpertError) -> None:
        """It will get none."""
        self.refusal = error
        self._done.set()

    async def until(self, deadline: float) -> None:
        """Wait for either, or for the deadline.

        Raises:
            ExpertError: it was refused.
            ExpertLate: neither came in time.

        """
        with anyio.CancelScope(deadline=deadline):
            await self._done.wait()
        if self.refusal is not None:
            raise self.refusal
        if not self.granted:
            raise ExpertLate(self.asker, "it was not awake before the request's time was used up")


class Waiting(Queue[Waiter]):
    """Those who wait at one accelerator."""

    def grant(self, seats: dict[str, Seat]) -> None:
        """Give leases of the experts that are awake (`seats`), as far as fairness has it."""
        while (expert := self.next_expert(awake=seats.keys())) is not None and expert in seats:
            for waiter in self.take(expert):
                seats[expert].leases += 1
                waiter.grant()

    def refuse(self, expert: str, kind: type[ExpertError], why: str, *, retry_after_s: float | None = None) -> None:
        """Send away all who wait for an expert."""
        for waiter in self.drop(expert):
            waiter.refuse(kind(waiter.asker, why, retry_after_s=retry_after_s))
