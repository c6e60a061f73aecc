"""The servers of one expert: which one to ask next, and which ones to leave alone for a while. Does no I/O."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestrator.experts.protocol import Condition

__all__ = ["Replica", "Replicas"]

_FIRST_COOLDOWN_S = 1.0
_LAST_COOLDOWN_S = 30.0


@dataclass(slots=True, eq=False)
class Replica:
    """One server.

    in_flight: requests under way. turn: the number of the pick that chose it last.
    cooldown_s, ejected_until: how long, and until when on anyio's clock, it is passed over after it failed.
    trouble: why its last health probe failed, empty when it did not; None before the first.
    shown: its address without user name and password.
    """

    url: str
    in_flight: int = 0
    turn: int = 0
    cooldown_s: float = 0.0
    ejected_until: float = -math.inf
    trouble: str | None = None
    shown: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def preferred(self, now: float) -> bool:
        """Whether nothing speaks against asking it."""
        return now >= self.ejected_until and not self.trouble

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts a request that is under way."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class Replicas:
    """Chooses the least busy server; one that failed is passed over for 1 s, then 2 s, up to 30 s, until it answers.

    The choice by load stands in `pick` alone: what a server reports about itself can join its key there.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.all = tuple(Replica(url) for url in urls)
        self._turns = 0

    def pick(self, now: float, *, tried: Collection[Replica] = ()) -> Replica | None:
        """The server to ask, none twice; when all are in trouble the least busy of them, since that may be over."""
        left = [replica for replica in self.all if replica not in tried]
        if not left:
            return None
        chosen = min(left, key=lambda replica: (not replica.preferred(now), replica.in_flight, replica.turn))
        self._turns += 1
        chosen.turn = self._turns
        return chosen

    def eject(self, replica: Replica, now: float) -> None:
        """Pass over a server that was not there; requests that fail together count once."""
        if now < replica.ejected_until:
            return
        replica.cooldown_s = min(_LAST_COOLDOWN_S, max(_FIRST_COOLDOWN_S, 2 * replica.cooldown_s))
        replica.ejected_until = now + replica.cooldown_s

    def answered(self, replica: Replica) -> None:
        """Forget that a server failed: it answered."""
        replica.cooldown_s, replica.ejected_until = 0.0, -math.inf

    def probed(self, replica: Replica, trouble: str) -> None:
        """Note a health probe; `trouble` is empty when the server is well."""
        replica.trouble = trouble
        if not trouble:
            self.answered(replica)

    @property
    def condition(self) -> Condition:
        """Up while any server is well."""
        if any(replica.trouble == "" for replica in self.all):
            return Condition(state="up")
        if any(replica.trouble is None for replica in self.all):
            return Condition(state="starting", reason="no health probe yet")
        return Condition(state="down", reason="; ".join(f"{each.shown}: {each.trouble}" for each in self.all))
