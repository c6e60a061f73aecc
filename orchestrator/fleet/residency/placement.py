"""Where every expert is, and the moves that bring one awake: victims first, then the expert itself.

State without time or servers: `plan` says what to do and changes nothing, `apply` records a move that was done. Tiers
exclude each other: an expert that wakes leaves host memory, one that sleeps needs room there, and where that cannot be
had the policy decides who goes cold. No tier ever holds more than its bytes, between the moves of one plan either.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.fleet.residency.policies import Context, Policy
from orchestrator.fleet.residency.tiers import Footprints, Occupancy, Tier, Tiers

__all__ = ["Move", "Placement"]


@dataclass(frozen=True, slots=True)
class Move:
    """One expert from one tier to another. moved_bytes: what is copied; of a shared base nothing that is there."""

    expert: str
    source: Tier
    target: Tier
    moved_bytes: int

    def seconds(self, tiers: Tiers) -> float:
        """How long it takes."""
        return tiers.seconds(self.moved_bytes, source=self.source, target=self.target)


class Placement:
    """The experts by tier. Pinned experts are awake from the start and never leave."""

    def __init__(
        self,
        footprints: Footprints,
        *,
        tiers: Tiers,
        policy: Policy,
        pinned: Iterable[str] = (),
        asleep: Iterable[str] = (),
    ) -> None:
        self.tiers = tiers
        self.policy = policy
        self.pinned = frozenset(pinned)
        self.footprints = footprints
        self.awake = Occupancy(footprints, tier=Tier.awake, capacity_bytes=tiers.awake_bytes)
        self.asleep = Occupancy(footprints, tier=Tier.asleep, capacity_bytes=tiers.asleep_bytes)
        for expert in sorted(self.pinned):
            self.awake.add(expert)
        for expert in asleep:
            if expert not in self.awake and self.asleep.needs_bytes(expert) <= self.asleep.free_bytes:
                self.asleep.add(expert)

    def tier_of(self, expert: str) -> Tier:
        """Where it is."""
        if expert in self.awake:
            return Tier.awake
        return Tier.asleep if expert in self.asleep else Tier.cold

    def never_fits(self, expert: str) -> bool:
        """Whether the awake tier is too small for it beside the pinned experts, whoever leaves."""
        return self.footprints.bytes_of({*self.pinned, expert}) > self.tiers.awake_bytes

    def plan(self, expert: str, *, now_s: float, held: AbstractSet[str] = frozenset()) -> tuple[Move, ...] | None:
        """The moves that bring an expert awake, in their order; None where those that may leave are not enough.

        held: experts that may not leave the awake tier now: they are answering, or somebody waits for them.
        """
        if expert in self.awake:
            return ()
        kept = self.pinned | held
        if self.awake.needs_bytes(expert) > self.awake.free_bytes and all(other in kept for other in self.awake):
            return None
        awake, asleep = self.awake.copy(), self.asleep.copy()
        moves: list[Move] = []
        while awake.needs_bytes(expert) > awake.free_bytes:
            candidates = self._useful([other for other in awake if other not in kept], awake)
            if not candidates:
                return None
            victim = self.policy.victim(candidates, Context(now_s, awake, self.footprints))
            awake.remove(victim)
            moves += self._put_down(victim, awake, asleep, expert=expert, now_s=now_s)
        source = self.tier_of(expert)
        moved = sum(self.footprints.own_bytes(part, Tier.asleep) for part in awake.missing(expert))
        moves.append(Move(expert, source, Tier.awake, moved))
        return tuple(moves)

    def apply(self, move: Move) -> None:
        """A move was done."""
        for tier, occupancy in ((Tier.awake, self.awake), (Tier.asleep, self.asleep)):
            if move.source is tier:
                occupancy.remove(move.expert)
            if move.target is tier:
                occupancy.add(move.expert)

    def _put_down(self, victim: str, awake: Occupancy, asleep: Occupancy, *, expert: str, now_s: float) -> list[Move]:
        """From awake to asleep, or to cold where the policy would rather keep those that are asleep.

        The expert for which all this is done stays where it is until there is room for it.
        """
        moves: list[Move] = []
        while asleep.needs_bytes(victim) > asleep.free_bytes:
            stays = {expert} if expert in asleep else set[str]()
            if self.footprints.bytes_of({victim, *stays}, Tier.asleep) > asleep.capacity_bytes:
                return [*moves, Move(victim, Tier.awake, Tier.cold, 0)]
            candidates = [*self._useful([other for other in asleep if other != expert], asleep), victim]
            goes = self.policy.victim(candidates, Context(now_s, {*awake, *asleep}, self.footprints))
            if goes == victim:
                return [*moves, Move(victim, Tier.awake, Tier.cold, 0)]
            asleep.remove(goes)
            moves.append(Move(goes, Tier.asleep, Tier.cold, 0))
        moved = asleep.needs_bytes(victim) if self.tiers.sleep is not None else 0
        asleep.add(victim)
        return [*moves, Move(victim, Tier.awake, Tier.asleep, moved)]

    def _useful(self, candidates: list[str], occupancy: Occupancy) -> list[str]:
        """Those whose leaving frees bytes; all of them where only several together do."""
        if not self.footprints.shared:
            return candidates
        return [expert for expert in candidates if occupancy.frees_bytes(expert)] or candidates
