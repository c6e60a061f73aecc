"""Who is served next where requests wait for experts that are not awake: together by expert, within a fairness cap.

CoServe's rule (ASPLOS 2025): a request queues behind the others for its expert, so that one switch serves them all; it
then adds `K * n + B` and, where its expert is neither awake nor queued, the time to load it. Unbounded, that lets an
expert in demand starve the others; so no request is ever overtaken by more than `overtakes` that came after it.

Pure: no clock, no tasks. The simulator and the live manager use the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Queue", "added_latency_s"]

Item = TypeVar("Item")


def added_latency_s(requests: int, *, per_request_s: float, fixed_s: float, load_s: float) -> float:
    """What `requests` (n) more for one expert add: `K * n + B` + load; load_s is 0 where it is awake or queued."""
    return per_request_s * requests + fixed_s + load_s


@dataclass(slots=True)
class _Group(Generic[Item]):
    """Those who wait for one expert, each with its number of arrival. overtaken: of the first, at most."""

    waiting: deque[tuple[int, Item]] = field(default_factory=deque)
    overtaken: int = 0

    @property
    def oldest(self) -> int:
        return self.waiting[0][0]


class Queue(Generic[Item]):
    """Waiting requests by expert; experts in the order of their oldest request.

    overtakes: most requests that may be served before an earlier one; 0 is first come, first served.
    """

    def __init__(self, *, overtakes: int) -> None:
        self._most = overtakes
        self._groups: dict[str, _Group[Item]] = {}
        self._arrivals = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def waited_for(self) -> AbstractSet[str]:
        """The experts, in no order; it changes as the queue does."""
        return self._groups.keys()

    def experts(self) -> list[str]:
        """Who is waited for, the longest waited for first."""
        return sorted(self._groups, key=lambda expert: self._groups[expert].oldest)

    def waiting_for(self, expert: str) -> int:
        """How many wait for it."""
        group = self._groups.get(expert)
        return 0 if group is None else len(group.waiting)

    def admits(self, expert: str) -> bool:
        """Whether a request that comes now for an expert that is awake may be served at once, before those who wait."""
        return expert not in self._groups and self._allowance(self._arrivals + 1, expert) > 0

    def passed(self, expert: str) -> None:
        """A request that came now is served at once."""
        self._arrivals += 1
        self._overtake(self._arrivals, expert)

    def put(self, expert: str, item: Item) -> None:
        """A request waits for its expert."""
        self._arrivals += 1
        self._size += 1
        self._groups.setdefault(expert, _Group()).waiting.append((self._arrivals, item))

    def next_expert(self, *, awake: Collection[str] = ()) -> str | None:
        """Who is served next: an expert that is awake, which costs no switch, or the longest waited for."""
        waited_for = self.experts()
        for expert in waited_for:
            if expert in awake and self._allowance(self._groups[expert].oldest, expert) > 0:
                return expert
        return waited_for[0] if waited_for else None

    def take(self, expert: str, *, most: int | None = None) -> list[Item]:
        """Those who wait for an expert, in their order: as many as may overtake the others, and at most `most`."""
        group = self._groups[expert]
        taken: list[Item] = []
        while group.waiting and (most is None or len(taken) < most) and self._allowance(group.oldest, expert) > 0:
            number, item = group.waiting.popleft()
            self._overtake(number, expert)
            taken.append(item)
        self._size -= len(taken)
        if not group.waiting:
            del self._groups[expert]
        return taken

    def leave(self, expert: str, item: Item) -> None:
        """One who waits does so no more; nothing happens where it does not."""
        group = self._groups.get(expert)
        if group is None:
            return
        kept = deque(waiting for waiting in group.waiting if waiting[1] is not item)
        self._size -= len(group.waiting) - len(kept)
        group.waiting = kept
        if not kept:
            del self._groups[expert]

    def drop(self, expert: str) -> list[Item]:
        """All who wait for an expert, who do so no more; they overtake nobody."""
        group = self._groups.pop(expert, None)
        dropped = [] if group is None else [item for _, item in group.waiting]
        self._size -= len(dropped)
        return dropped

    def _allowance(self, number: int, expert: str) -> float:
        """How many of this number of arrival may be served before those that came earlier for other experts."""
        counts = [group.overtaken for other, group in self._groups.items() if other != expert and group.oldest < number]
        return self._most - max(counts) if counts else float("inf")

    def _overtake(self, number: int, expert: str) -> None:
        for other, group in self._groups.items():
            if other != expert and group.oldest < number:
                group.overtaken += 1
