"""Who leaves a tier that is full: LRU, LFU, usage probability, dependency-aware, and Belady's bound.

A policy is shown every request in its order (`used`) and names a victim among candidates. All but Belady's know the
past alone. It never sees pinned experts: `Placement` keeps them back.

Dependency-aware is CoServe's rule (ASPLOS 2025): first "subsequent" experts whose preliminary expert is absent, largest
first; then the lowest usage probability. In this product an expert is subsequent where the configuration says that it
is called after another one: a retriever's reader after the retriever, a verdict's expert after those that draft. Two
things are ours, since here sessions go on after an answer: a subsequent expert also stays while an open session stands
at its preliminary or at itself, and the usage probability is that of the next request given where the open sessions
stand, P(next | current) (`Affinity`), not one figure for all times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from orchestrator.fleet.residency.affinity import Affinity
from orchestrator.fleet.residency.tiers import Footprints

__all__ = [
    "POLICIES",
    "Belady",
    "Context",
    "DependencyAware",
    "Knowledge",
    "LeastFrequent",
    "LeastRecent",
    "Policy",
    "Usage",
]

HALF_LIFE = 1000
"""Requests after which a use counts half in LFU."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Context:
    """What there is to know where a victim is needed. present: who is in the tier or above it, pinned ones too."""

    now_s: float
    present: Container[str]
    footprints: Footprints


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known before the first request.

    follows: by subsequent expert, its preliminaries. future: the experts of all requests in their order, for Belady's
    bound alone.
    """

    experts: Sequence[str]
    follows: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    future: Sequence[str] = ()


class Policy(Protocol):
    """Names who leaves."""

    def used(self, expert: str, *, at_s: float, session: str | None) -> None:
        """A request for an expert came; called once for each, in their order, before a victim is asked for."""

    def victim(self, candidates: Sequence[str], context: Context) -> str:
        """One of the candidates, of which there is one at least."""


class LeastRecent:
    """LRU: whose last use is the longest ago; never used ones first, in the order of the candidates."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._last = dict.fromkeys(knowledge.experts, 0)
        self._uses = 0

    def used(self, expert: str, *, at_s: float, session: str | None) -> None:
        del at_s, session
        self._uses += 1
        self._last[expert] = self._uses

    def victim(self, candidates: Sequence[str], context: Context) -> str:
        del context
        return min(candidates, key=self._last.__getitem__)


class LeastFrequent(LeastRecent):
    """LFU with ageing: fewest uses, each of which counts half after 1,000 further requests; ties by LRU."""

    def __init__(self, knowledge: Knowledge) -> None:
        super().__init__(knowledge)
        self._count = dict.fromkeys(knowledge.experts, 0.0)
        self._worth = 1.0

    def used(self, expert: str, *, at_s: float, session: str | None) -> None:
        super().used(expert, at_s=at_s, session=session)
        self._count[expert] += self._worth
        self._worth *= 2 ** (1 / HALF_LIFE)  # later uses count more instead of earlier ones less
        if self._worth > 2**500:
            self._count = {expert: count / self._worth for expert, count in self._count.items()}
            self._worth = 1.0

    def victim(self, candidates: Sequence[str], context: Context) -> str:
        del context
        return min(candidates, key=lambda expert: (self._count[expert], self._last[expert]))


class Usage(LeastRecent):
    """Usage probability: the smallest share of all requests so far; ties by LRU."""

    def __init__(self, knowledge: Knowledge) -> None:
        super().__init__(knowledge)
        self._count = dict.fromkeys(knowledge.experts, 0)

    def used(self, expert: str, *, at_s: float, session: str | None) -> None:
        super().used(expert, at_s=at_s, session=session)
        self._count[expert] += 1

    def victim(self, candidates: Sequence[str], context: Context) -> str:
        del context
        return min(candidates, key=lambda expert: (self._count[expert], self._last[expert]))


class DependencyAware(LeastRecent):
    """Orphaned subsequent experts first, largest first; then the least probable next request; ties by LRU."""

    def __init__(self, knowledge: Knowledge) -> None:
        super().__init__(knowledge)
        self._follows = {expert: frozenset(before) for expert, before in knowledge.follows.items() if before}
        self.affinity = Affinity(knowledge.experts)

    def used(self, expert: str, *, at_s: float, session: str | None) -> None:
        super().used(expert, at_s=at_s, session=session)
        self.affinity.observe(expert, at_s=at_s, session=session)

    def victim(self, candidates: Sequence[str], context: Context) -> str:
        orphans = [expert for expert in candidates if expert in self._follows and self._orphaned(expert, context)]
        if orphans:
            return max(orphans, key=lambda expert: (context.footprints[expert].awake_bytes, -self._last[expert]))
        chances = self.affinity.next_request(now_s=context.now_s).tolist()
        index = self.affinity.index
        return min(candidates, key=lambda expert: (chances[index[expert]], self._last[expert]))

    def _orphaned(self, expert: str, context: Context) -> bool:
        stands_at = self.affinity.stands_at
        return not stands_at(expert) and not any(
            before in context.present or stands_at(before) for before in self._follows[expert]
        )


class Belady:
    """The bound: whose next use is farthest away, which nobody knows. Optimal where all are of one size."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._uses: dict[str, list[int]] = {expert: [] for expert in knowledge.experts}
        for position, expert in enumerate(knowledge.future):
            self._uses[expert].append(position)
        self._now = -1

    def used(self, expert: str, *, at_s: float, session: str | None) -> None:
        del expert, at_s, session
        self._now += 1

    def victim(self, candidates: Sequence[str], context: Context) -> str:
        del context
        return max(candidates, key=self._next_use)

    def _next_use(self, expert: str) -> float:
        uses = self._uses[expert]
        later = bisect_right(uses, self._now)
        return uses[later] if later < len(uses) else NEVER


POLICIES: Mapping[str, Callable[[Knowledge], Policy]] = MappingProxyType(
    {"lru": LeastRecent, "lfu": LeastFrequent, "usage": Usage, "dependency": DependencyAware, "belady": Belady}
)
"""By name; the last one needs the future and is for replay alone."""
