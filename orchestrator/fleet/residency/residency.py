"""Who is awake while the service runs: requests take leases, and what they wait for is woken in its turn.

A lease holds an expert awake until it ends. Who sleeps in its place is chosen among those that nobody holds, and a wake
begins only when the memory for it is free, so that two of them never wait for each other: at each accelerator room is
made for one at a time, the longest waited for. A request waits at most until its deadline, and not at all for what
cannot be awake by then.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from anyio.abc import TaskStatus

from orchestrator import clock
from orchestrator.config.settings import Residency as Rules
from orchestrator.errors import ExpertBusy, ExpertSuspended, ExpertUnavailable
from orchestrator.fleet.residency.affinity import Affinity
from orchestrator.fleet.residency.control import Control
from orchestrator.fleet.residency.leases import Waiter, Waiting
from orchestrator.fleet.residency.policies import Context, Policy
from orchestrator.fleet.residency.seats import ResidencySeen, Seat, Seats
from orchestrator.fleet.residency.switch import NOT_THERE, Switch
from orchestrator.fleet.residency.tiers import Footprint, Footprints

__all__ = ["Residency"]

GB = 1e9
LOOK_EVERY_S = 5.0
OVERDUE = 0.1
"""A wake that takes longer than the last one is taken to need this share of that one still."""
LIKELY = 0.5
"""A follower in a session that is as probable as this is woken early, where that is asked for."""


class Residency:
    """The experts that share accelerators.

    bases: by adapter, the expert with which it sleeps and wakes. observing: it looks and moves nobody, and gives no
    leases: for a second process beside the one that serves.
    """

    def __init__(
        self,
        seats: Seats,
        controls: Mapping[str, Control],
        *,
        rules: Rules,
        policy: Policy,
        bases: Mapping[str, str] | None = None,
        observing: bool = False,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.looked = anyio.Event()
        self._observing = observing
        self.seats = seats
        self._controls = controls
        self._rules = rules
        self._policy = policy
        self._bases = dict(bases or {})
        self._look_every_s = look_every_s
        self._known = False
        self._queues = {place: Waiting(overtakes=rules.fairness) for place in seats.capacity}
        self._footprints = Footprints(Footprint(seat.expert, seat.size, seat.size) for seat in seats.values())
        self._affinity = Affinity(list(seats))
        self._switch = Switch(seats, controls, timeout_s=rules.wake_timeout_s, changed=self._changed)

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look how the experts are, and again every so often, until cancelled.

        Nobody is woken, and no lease given, before the first look.
        """
        async with AsyncExitStack() as stack:
            for control in self._controls.values():
                await stack.enter_async_context(control.open())
            await stack.enter_async_context(self._switch.background.open())
            try:
                await self._look()
                task_status.started()
                while True:
                    await anyio.sleep(self._look_every_s)
                    await self._look()
            finally:
                self._known = False

    async def _look(self) -> None:
        await self._switch.look(observing=self._observing)
        self.looked.set()
        self._known = not self._observing
        for place in self._queues:
            self._settle(place)

    @asynccontextmanager
    async def awake(self, expert: str, *, deadline: float, session: str | None = None) -> AsyncIterator[float]:
        """A lease for as long as the block runs; gives the seconds that were waited for it.

        An expert that never sleeps is given at once.

        Raises:
            ExpertUnavailable: it could not be woken.
            ExpertBusy: it cannot be awake by the deadline.
            ExpertLate: it was not.

        """
        seat = self._seat(expert)
        if seat is None:
            yield 0.0
            return
        self._note(seat, session)
        waited_s = await self._lease(seat, expert, deadline)
        try:
            if session is not None and self._rules.prefetch:
                self._prefetch(seat)
            yield waited_s
        finally:
            self._release(seat)

    def is_awake(self, expert: str) -> bool:
        """Whether it is, or never sleeps."""
        seat = self._seat(expert)
        return seat is None or seat.state == "awake"

    def wait_s(self, expert: str) -> float:
        """Seconds until it can be awake: 0 where it is or never sleeps, infinite where it is not there."""
        seat, now = self._seat(expert), clock.now()
        if seat is None or seat.state == "awake":
            return 0.0
        if not seat.there or now < seat.resting_until:
            return math.inf
        wake_s = seat.takes_s(f"wake {seat.slept}", now, default_s=seat.size / GB / self._rules.wake_gb_per_s)
        if seat.state == "waking":
            return max(OVERDUE * wake_s, wake_s - (now - seat.since))
        return wake_s

    def seen(self, expert: str) -> ResidencySeen | None:
        """How an expert is, an adapter as its base; None for one that never sleeps."""
        seat = self._seat(expert)
        if seat is None:
            return None
        return ResidencySeen(
            state=seat.state,
            accelerator=seat.place,
            pinned=seat.pinned,
            gb=round(seat.size / GB, 3),
            used_gb=round(self.seats.used(seat.place) / GB, 3),
            capacity_gb=round(self.seats.capacity[seat.place] / GB, 3),
            leases=seat.leases,
            waiting=self._queues[seat.place].waiting_for(seat.expert),
            reason=seat.trouble,
        )

    def _seat(self, expert: str) -> Seat | None:
        return self.seats.get(self._bases.get(expert, expert))

    async def _lease(self, seat: Seat, asker: str, deadline: float) -> float:
        """Seconds that it took; 0 where it was given at once."""
        queue = self._queues[seat.place]
        if self._known and seat.state == "awake" and queue.admits(seat.expert):
            queue.passed(seat.expert)
            seat.leases += 1
            return 0.0
        began = clock.now()
        self._check_in_time(seat, asker, deadline)
        waiter = Waiter(asker)
        queue.put(seat.expert, waiter)
        self._settle(seat.place)
        try:
            await waiter.until(deadline)
        except BaseException:
            if waiter.granted:  # at the very moment when it was cancelled
                self._release(seat)
            else:
                queue.leave(seat.expert, waiter)
                self._settle(seat.place)  # another may be the first now
            raise
        return clock.now() - began

    def _release(self, seat: Seat) -> None:
        seat.leases -= 1
        if not seat.leases:
            self._settle(seat.place)

    def _check_in_time(self, seat: Seat, asker: str, deadline: float) -> None:
        """Refuse at once what cannot be."""
        if not self._known:
            return
        if not seat.there:
            raise ExpertUnavailable(asker, seat.trouble or NOT_THERE)
        now = clock.now()
        if now < seat.resting_until and seat.state != "awake":
            raise ExpertSuspended(asker, seat.trouble, retry_after_s=seat.resting_until - now)
        wait_s = self.wait_s(seat.expert)
        if now + wait_s > deadline:
            why = (
                f"it is {seat.state}; waking it takes about {wait_s:.1f} s, the request has {deadline - now:.1f} s left"
            )
            raise ExpertBusy(asker, why, retry_after_s=wait_s)

    def _settle(self, place: str) -> None:
        """Give leases of those that are awake, then begin what the others wait for."""
        if not self._known:
            return
        queue = self._queues[place]
        queue.grant({seat.expert: seat for seat in self.seats.at(place) if seat.state == "awake"})
        for expert in self._wanted(place):
            if not self._begin(self.seats[expert]):
                return

    def _wanted(self, place: str) -> list[str]:
        """Who should be awake and is not, in the order in which they are woken: those that never sleep before all."""
        now = clock.now()
        pinned = [
            seat.expert for seat in self.seats.at(place) if seat.pinned and now >= seat.resting_until and seat.there
        ]
        wanted = dict.fromkeys([*pinned, *self._queues[place].experts()])
        return [expert for expert in wanted if self.seats[expert].state not in {"awake", "waking"}]

    def _begin(self, seat: Seat) -> bool:
        """Whether the next in the queue may be looked at: this one is under way, or never will be as things are."""
        if seat.state == "going to sleep":
            return False
        now = clock.now()
        room = self.seats.room(seat, now, lambda candidates: self._victim(seat.place, candidates))
        if room.now:
            self._switch.wake(seat)
        elif room.hopeless:
            why = "no memory can be had for it: those that hold it cannot be put to sleep"
            self._queues[seat.place].refuse(seat.expert, ExpertUnavailable, why)
        for victim in room.victims:
            self._switch.sleep(victim)
        return room.now or room.hopeless

    def _victim(self, place: str, candidates: Sequence[str]) -> str:
        """By the policy, among those that nobody waits for where there are such."""
        waited_for = set(self._queues[place].experts())
        idle = [expert for expert in candidates if expert not in waited_for] or list(candidates)
        awake = {seat.expert for seat in self.seats.values() if seat.state == "awake"}
        return self._policy.victim(idle, Context(clock.now(), awake, self._footprints))

    def _changed(self, seat: Seat, failure: str) -> None:
        if failure:
            self._queues[seat.place].refuse(seat.expert, ExpertUnavailable, failure)
        self._settle(seat.place)

    def _note(self, seat: Seat, session: str | None) -> None:
        now = clock.now()
        self._policy.used(seat.expert, at_s=now, session=session)
        if self._rules.prefetch:
            self._affinity.observe(seat.expert, at_s=now, session=session)

    def _prefetch(self, seat: Seat) -> None:
        """Wake those that are likely to follow, where nobody has to leave or wait for it."""
        now = clock.now()
        for expert, _ in self._affinity.candidates(seat.expert, least=LIKELY):
            other = self.seats[expert]
            sleeping = other.state in {"asleep", "cold"} and now >= other.resting_until
            if sleeping and not len(self._queues[other.place]) and self.seats.fits(other):
                self._switch.wake(other)
