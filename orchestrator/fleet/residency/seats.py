"""Where every expert of the running service is, and the bytes that its accelerator has for it. No I/O, no tasks.

Whatever may hold memory is counted: what is awake, what wakes, what has not yet fallen asleep, and servers that do not
say. `room` never lets a wake begin that would exceed an accelerator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ResidencySeen", "Room", "Seat", "SeatState", "Seats"]

SeatState = Literal["awake", "waking", "going to sleep", "asleep", "cold", "unknown"]
SEEN_FOR_S = 60.0
"""How long a wake that was seen stands for the next one: nobody should be refused for ever because one was slow."""


@dataclass(slots=True, eq=False)
class Seat:
    """One expert that may sleep.

    size: bytes awake. level: at which it sleeps (1 in host memory, 2 nowhere) by configuration; slept: at which it
    does, or did last. there: whether any server of it is. leases: requests that hold it awake. resting_until: on
    anyio's clock; it is not moved before. moves: so many have begun or ended. since: the last change of state.
    """

    expert: str
    size: int
    place: str = "default"
    level: Literal[1, 2] = 1
    pinned: bool = False
    state: SeatState = "unknown"
    there: bool = True
    leases: int = 0
    slept: int = 2
    trouble: str = ""
    resting_until: float = -math.inf
    moves: int = 0
    since: float = -math.inf
    _took: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def holds(self) -> int:
        """Bytes that it may take of its accelerator now."""
        held = self.state in {"awake", "waking", "going to sleep"} or (self.state == "unknown" and self.there)
        return self.size if held else 0

    @property
    def keeps(self) -> int:
        """Bytes that it takes of host memory now, or is about to."""
        return self.size if self.slept == 1 and self.state in {"asleep", "waking", "going to sleep"} else 0

    @property
    def moving(self) -> bool:
        """Whether its servers are being moved."""
        return self.state in {"waking", "going to sleep"}

    def enter(self, state: SeatState, now: float) -> None:
        """Change its state."""
        self.state, self.since = state, now
        self.moves += 1

    def took(self, move: str, seconds: float, now: float) -> None:
        """Note how long a move took."""
        self._took[move] = (seconds, now)

    def takes_s(self, move: str, now: float, *, default_s: float) -> float:
        """How long a move will take, going by the last one unless that is long ago."""
        seconds, at = self._took.get(move, (default_s, now))
        return seconds if now - at <= SEEN_FOR_S else default_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidencySeen:
    """How an expert that may sleep is, for people and dashboards.

    gb: accelerator memory that it takes awake. used_gb, capacity_gb: of its accelerator. leases: requests that hold it
    awake. waiting: requests that wait for it. reason: what went wrong last; empty where nothing has.
    """

    state: SeatState
    accelerator: str
    pinned: bool
    gb: float
    used_gb: float
    capacity_gb: float
    leases: int
    waiting: int
    reason: str


@dataclass(frozen=True, slots=True)
class Room:
    """What it takes to have room: now, or when these have gone to sleep, or never as things are (`hopeless`)."""

    now: bool = False
    victims: tuple[Seat, ...] = ()
    hopeless: bool = False


class Seats(Mapping[str, Seat]):
    """The seats by expert. capacity: bytes by accelerator."""

    def __init__(self, seats: Iterable[Seat], *, capacity: Mapping[str, int], asleep: int | None = None) -> None:
        self._all = {seat.expert: seat for seat in seats}
        self.capacity = dict(capacity)
        self._asleep = math.inf if asleep is None else asleep

    def __getitem__(self, expert: str) -> Seat:
        return self._all[expert]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def at(self, place: str) -> list[Seat]:
        """Those that share an accelerator."""
        return [seat for seat in self._all.values() if seat.place == place]

    def used(self, place: str) -> int:
        """Bytes that may be taken of an accelerator."""
        return sum(seat.holds for seat in self.at(place))

    def fits(self, seat: Seat) -> bool:
        """Whether it may be awake with nobody leaving."""
        return self.used(seat.place) - seat.holds + seat.size <= self.capacity[seat.place]

    def may_stay(self, seat: Seat) -> bool:
        """Whether one that was found awake may stay so, beside those that are known to be."""
        sure = sum(other.holds for other in self.at(seat.place) if other is not seat and other.state != "unknown")
        return seat.pinned or sure + seat.size <= self.capacity[seat.place]

    def level_of(self, seat: Seat) -> int:
        """At which level it is to sleep now: 2 where host memory has no room for it."""
        kept = sum(other.keeps for other in self._all.values() if other is not seat)
        return seat.level if kept + seat.size <= self._asleep else 2

    def room(self, seat: Seat, now: float, victim: Callable[[Sequence[str]], str]) -> Room:
        """What to do so that it can wake. victim: names the next who leaves, of those that may."""
        if self.fits(seat):
            return Room(now=True)
        others = [other for other in self.at(seat.place) if other is not seat]
        missing = self.used(seat.place) - seat.holds + seat.size - self.capacity[seat.place]
        missing -= sum(other.size for other in others if other.state == "going to sleep")
        free = {other.expert: other for other in others if _may_leave(other, now)}
        if sum(other.size for other in free.values()) < missing:
            waited_for = any(other.moving or (other.leases and not other.pinned) for other in others)
            return Room(hopeless=not waited_for)
        victims: list[Seat] = []
        while missing > 0:
            victims.append(free.pop(victim(list(free))))
            missing -= victims[-1].size
        return Room(victims=tuple(victims))


def _may_leave(seat: Seat, now: float) -> bool:
    settled = seat.state == "awake" or (seat.state == "unknown" and seat.there)
    return settled and not seat.leases and not seat.pinned and now >= seat.resting_until
