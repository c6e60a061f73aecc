"""Tiers of memory, what an expert takes of them, and what it takes to move one; experts on one base share its bytes.

Knows bytes and seconds. Does not know servers, requests or who should leave a tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

__all__ = ["Footprint", "Footprints", "Link", "Occupancy", "Tier", "Tiers"]


class Tier(StrEnum):
    """Where an expert is: awake in accelerator memory, asleep in host memory, cold on disk."""

    awake = "awake"
    asleep = "asleep"
    cold = "cold"


@dataclass(frozen=True, slots=True)
class Link:
    """A way between two tiers. fixed_s: seconds of every move, whatever its size."""

    bytes_per_s: float
    fixed_s: float = 0.0

    def seconds(self, moved_bytes: int) -> float:
        """How long a move takes; nothing to move takes none."""
        return moved_bytes / self.bytes_per_s + self.fixed_s if moved_bytes else 0.0


@dataclass(frozen=True, slots=True)
class Tiers:
    """Capacities in bytes; cold has no end.

    wake: asleep to awake. load: cold to asleep; to awake it goes on through `wake`. sleep: awake to asleep; None where
    host memory keeps the weights anyway, which are read-only (SN40L), so that there is nothing to write back.
    """

    awake_bytes: int
    asleep_bytes: int
    wake: Link
    load: Link
    sleep: Link | None = None

    def seconds(self, moved_bytes: int, *, source: Tier, target: Tier) -> float:
        """How long it takes to move so many bytes from one tier to another; to cold is to forget, at once."""
        if source is Tier.cold:
            load_s = self.load.seconds(moved_bytes)
            return load_s + self.wake.seconds(moved_bytes) if target is Tier.awake else load_s
        if target is Tier.awake:
            return self.wake.seconds(moved_bytes)
        return self.sleep.seconds(moved_bytes) if target is Tier.asleep and self.sleep else 0.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """The bytes of one expert by itself, without those of its base.

    awake_bytes: weights, and what of the cache is set aside for it. asleep_bytes: its weights, which is also what moves
    when it wakes. base: id of the footprint that it rests on (an adapter's model), itself an expert or not.
    """

    expert: str
    awake_bytes: int
    asleep_bytes: int
    base: str | None = None


class Footprints(Mapping[str, Footprint]):
    """The footprints by id, bases among them. `parts` of an expert are itself and what it rests on.

    Raises:
        ValueError: a base has no footprint, or bases go in a circle.

    """

    def __init__(self, footprints: Iterable[Footprint]) -> None:
        self._all = {footprint.expert: footprint for footprint in footprints}
        self._parts = {expert: tuple(self._chain(expert)) for expert in self._all}
        self.shared = any(footprint.base for footprint in self._all.values())

    def __getitem__(self, expert: str) -> Footprint:
        return self._all[expert]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def parts(self, expert: str) -> tuple[str, ...]:
        """Its own id and the ids of the bases below it."""
        return self._parts[expert]

    def bytes_of(self, experts: Iterable[str], tier: Tier = Tier.awake) -> int:
        """What these take of a tier together, each base once."""
        parts = {part for expert in experts for part in self._parts[expert]}
        return sum(self.own_bytes(part, tier) for part in parts)

    def own_bytes(self, part: str, tier: Tier) -> int:
        """What one part takes of a tier, without its base."""
        if tier is Tier.cold:
            return 0
        return self._all[part].awake_bytes if tier is Tier.awake else self._all[part].asleep_bytes

    def _chain(self, expert: str) -> Iterator[str]:
        seen: set[str] = set()
        part: str | None = expert
        while part is not None:
            if part not in self._all:
                raise ValueError(f"no footprint of {part!r}, on which {expert!r} rests")
            if part in seen:
                raise ValueError(f"the bases of {expert!r} go in a circle")
            seen.add(part)
            yield part
            part = self._all[part].base


class Occupancy:
    """Who is in one tier, and the bytes that are taken; a base is there as long as anybody there rests on it."""

    def __init__(self, footprints: Footprints, *, tier: Tier, capacity_bytes: int) -> None:
        self._own_bytes = {part: footprints.own_bytes(part, tier) for part in footprints}
        self._parts = {expert: footprints.parts(expert) for expert in footprints}
        self._alone = not footprints.shared  # then an expert's bytes are its own, which is worth not counting
        self._users: dict[str, int] = {}
        self._experts: dict[str, None] = {}
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0

    def __contains__(self, expert: object) -> bool:
        return expert in self._experts

    def __iter__(self) -> Iterator[str]:
        """In the order in which they came."""
        return iter(self._experts)

    def __len__(self) -> int:
        return len(self._experts)

    @property
    def free_bytes(self) -> int:
        """What is left."""
        return self.capacity_bytes - self.used_bytes

    def missing(self, expert: str) -> tuple[str, ...]:
        """The parts of an expert that are not here."""
        return tuple(part for part in self._parts[expert] if part not in self._users)

    def needs_bytes(self, expert: str) -> int:
        """What an expert would take beyond what is here already."""
        if self._alone:
            return 0 if expert in self._users else self._own_bytes[expert]
        return sum(self._own_bytes[part] for part in self._parts[expert] if part not in self._users)

    def frees_bytes(self, expert: str) -> int:
        """What would be free if this expert left: nothing of a base on which others here rest."""
        if self._alone:
            return self._own_bytes[expert] if expert in self._users else 0
        return sum(self._own_bytes[part] for part in self._parts[expert] if self._users.get(part) == 1)

    def add(self, expert: str) -> None:
        """It is here now; whether there was room is the caller's to have seen to."""
        if expert in self._experts:
            return
        self.used_bytes += self.needs_bytes(expert)
        self._experts[expert] = None
        for part in self._parts[expert]:
            self._users[part] = self._users.get(part, 0) + 1

    def remove(self, expert: str) -> None:
        """It has left."""
        self.used_bytes -= self.frees_bytes(expert)
        del self._experts[expert]
        for part in self._parts[expert]:
            self._users[part] -= 1
            if not self._users[part]:
                del self._users[part]

    def copy(self) -> Self:
        """The same, to be tried on."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._users, other._experts = dict(self._users), dict(self._experts)
        return other
