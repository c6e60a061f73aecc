"""Moves experts between awake and asleep, and looks how they are: what a seat says is what its servers said.

Knows no requests: who asked for a move hears of its end by `changed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
import structlog

from orchestrator import clock
from orchestrator.background import Background
from orchestrator.fleet.residency.control import Control, Seen
from orchestrator.fleet.residency.seats import Seat, Seats, SeatState

__all__ = ["REST_S", "Switch"]

log = structlog.get_logger()
REST_S = 5.0
"""After a move that failed an expert is not moved again for so long."""
NOT_THERE = "none of its servers is there"
UNSEEN: Seen = "unsure"
UNSURE = "its servers do not say whether they sleep"
FORGOTTEN = 2
"""The level assumed of those whom somebody else sent to sleep: weights are then read again, which is never wrong."""


class Switch:
    """The moves of one process, begun by `wake` and `sleep`, which return at once.

    changed: told of every seat whose state has changed, and why where a move failed (else empty).
    """

    def __init__(
        self,
        seats: Seats,
        controls: Mapping[str, Control],
        *,
        timeout_s: float,
        changed: Callable[[Seat, str], None],
    ) -> None:
        self._seats = seats
        self._controls = controls
        self._timeout_s = timeout_s
        self._changed = changed
        self.background = Background()

    def wake(self, seat: Seat) -> None:
        """Begin to wake one for which there is room."""
        self._enter(seat, "waking")
        self.background.start(self._wake, seat, name=f"wake {seat.expert}")

    def sleep(self, seat: Seat) -> None:
        """Begin to send one to sleep that nobody holds."""
        seat.slept = self._seats.level_of(seat)
        self._enter(seat, "going to sleep")
        self.background.start(self._sleep, seat, name=f"sleep {seat.expert}")

    async def look(self, *, observing: bool = False) -> None:
        """Look at all experts that are not being moved, and put right what is not as it should be, or only note it."""
        found: dict[str, tuple[int, Seen]] = {}

        async def one(seat: Seat) -> None:
            moves = seat.moves
            found[seat.expert] = moves, await self._controls[seat.expert].look()

        async with anyio.create_task_group() as group:
            for seat in self._seats.values():
                if not seat.moving:
                    group.start_soon(one, seat)
        for seat in sorted(self._seats.values(), key=lambda seat: not seat.pinned):
            moves, seen = found.get(seat.expert, (-1, UNSEEN))
            if seat.moves == moves:  # else it was moved meanwhile, and what was seen is old
                if observing:
                    _note(seat, seen)
                else:
                    self._adopt(seat, seen)

    def _adopt(self, seat: Seat, seen: Seen) -> None:
        """Take a settled expert for what it was found to be."""
        if seen == "unsure" or _agree(seat.state, seen):
            seat.trouble = UNSURE if seen == "unsure" else ""
            seat.there = True
        elif seen == "gone":
            self._lost(seat)
        elif seen == "awake" and self._seats.may_stay(seat):
            self._settle(seat, "awake")
        elif seat.state == "awake" and seat.leases:  # slept behind our back: those who hold it wait for it
            seat.slept = FORGOTTEN
            self.wake(seat)
        elif seen == "asleep":
            if seat.state == "awake":
                seat.slept = FORGOTTEN
            self._settle(seat, "asleep" if seat.slept == 1 else "cold")
        else:  # awake with no room for it, as a server that started anew; or some of several
            seat.there = True
            self.sleep(seat)

    def _lost(self, seat: Seat) -> None:
        if seat.there or seat.state != "unknown":
            seat.there, seat.slept = False, FORGOTTEN
            seat.trouble = NOT_THERE
            self._enter(seat, "unknown")
            self._changed(seat, NOT_THERE)

    async def _wake(self, seat: Seat) -> None:
        await self._move(seat, "awake", "wake")

    async def _sleep(self, seat: Seat) -> None:
        await self._move(seat, "asleep" if seat.slept == 1 else "cold", "sleep")

    async def _move(self, seat: Seat, target: SeatState, move: str) -> None:
        control, began, level = self._controls[seat.expert], clock.now(), seat.slept
        try:
            with anyio.fail_after(self._timeout_s):
                await (control.wake(level) if move == "wake" else control.sleep(level))
        except TimeoutError:
            await self._stumbled(seat, move, f"{move} did not end within {self._timeout_s:g} s")
            return
        except Exception as error:  # noqa: BLE001 - supervised border: one expert's servers are not the others' trouble
            await self._stumbled(seat, move, f"{move} failed: {error}", over=True)
            return
        now = clock.now()
        seat.took(f"{move} {level}", now - began, now)
        self._settle(seat, target)

    async def _stumbled(self, seat: Seat, move: str, why: str, *, over: bool = False) -> None:
        """A move failed: tell at once, then look what came of it; unless it may still go on (not `over`)."""
        log.warning("residency.failed", expert=seat.expert, move=move, why=why)
        seat.trouble = why
        seat.resting_until = clock.now() + REST_S
        self._enter(seat, "unknown")
        self._changed(seat, why)
        moves, seen = seat.moves, await self._controls[seat.expert].look()
        if over and seat.moves == moves and seen in {"gone", "asleep"}:
            self._adopt(seat, seen)
            seat.trouble = why

    def _settle(self, seat: Seat, state: SeatState) -> None:
        seat.trouble, seat.there = "", True
        self._enter(seat, state)
        self._changed(seat, "")

    def _enter(self, seat: Seat, state: SeatState) -> None:
        if state != seat.state:
            log.info("residency", expert=seat.expert, before=seat.state, now=state, gb=round(seat.size / 1e9, 3))
        seat.enter(state, clock.now())


def _note(seat: Seat, seen: Seen) -> None:
    """What was seen, as the state of an expert that others move."""
    seat.there = seen != "gone"
    seat.state = "awake" if seen == "awake" else "asleep" if seen == "asleep" else "unknown"
    said = {"gone": NOT_THERE, "unsure": UNSURE, "mixed": "some of its servers sleep and some do not"}
    seat.trouble = said.get(seen, "")


def _agree(state: SeatState, seen: Seen) -> bool:
    return seen == state or (state == "cold" and seen == "asleep")
