"""Experts and sessions for a trace that has none: a stated, seeded model, which is not what the trace's users did.

- Popularity: Zipf (exponent 1) over the experts in a seeded order.
- A third of the experts are subsequent: they are called after a preliminary expert (each has two), never first.
- As many sessions are open as the trace's rate times the mean gap between a session's requests (30 s). A request
  continues one of them, any with the same chance; after each a session ends with 1/8: geometric lengths, mean 8.
- Within a session experts follow each other by a Markov chain: the same again (35 %), the preliminary's subsequent
  expert (35 %, where it has one), one of two companions (20 %), or anybody by popularity (the rest). After a subsequent
  expert a session goes back to one of its preliminaries (60 %).

Arrival times and numbers of tokens stay as the trace has them. What a policy gains from sessions here shows that it
finds structure where there is some; how much of it real traffic has, only a trace with sessions can tell.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import accumulate

from orchestrator.fleet.residency.traces import Request

__all__ = ["Workload", "assigned", "invented_chains", "shuffled"]

PRELIMINARIES = 2
COMPANIONS = 2


@dataclass(frozen=True, slots=True)
class Workload:
    """The model's constants. follows: by subsequent expert, its preliminaries."""

    experts: Sequence[str]
    follows: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    seed: int = 0
    zipf: float = 1.0
    session_length: float = 8.0
    gap_s: float = 30.0
    again: float = 0.35
    chained: float = 0.35
    companion: float = 0.2
    back: float = 0.6


def invented_chains(experts: Sequence[str], *, seed: int = 0) -> dict[str, frozenset[str]]:
    """A third of the experts, each with two preliminaries among the others; none where there are fewer than three."""
    chance = random.Random(f"chains {seed}")  # noqa: S311 - a simulation, no secret
    ranked = chance.sample(list(experts), len(experts))
    subsequent, others = ranked[: len(ranked) // 3], ranked[len(ranked) // 3 :]
    return {expert: frozenset(chance.sample(others, min(PRELIMINARIES, len(others)))) for expert in subsequent}


def assigned(trace: Sequence[Request], workload: Workload) -> list[Request]:
    """The trace with an expert and a session for each request."""
    chance = random.Random(f"sessions {workload.seed}")  # noqa: S311 - a simulation, no secret
    chain = _Chain(workload)
    lasted_s = max(trace[-1].at_s - trace[0].at_s, 1e-9)
    slots = max(1, min(len(trace), round(len(trace) / lasted_s * workload.gap_s)))
    standing: list[tuple[str, str] | None] = [None] * slots  # session and its last expert
    begun = 0
    found: list[Request] = []
    for request in trace:
        slot = chance.randrange(slots)
        session = standing[slot]
        if session is None:
            begun += 1
            session = f"session-{begun}", chain.first(chance)
        else:
            session = session[0], chain.after(session[1], chance)
        standing[slot] = None if chance.random() * workload.session_length < 1 else session
        found.append(replace(request, session=session[0], expert=session[1]))
    return found


def shuffled(trace: Sequence[Request], *, seed: int = 0) -> list[Request]:
    """The control: the same experts as often as before, at the same times and in the same sessions, in any order."""
    experts = [request.expert for request in trace]
    random.Random(f"shuffled {seed}").shuffle(experts)  # noqa: S311 - a simulation, no secret
    return [replace(request, expert=expert) for request, expert in zip(trace, experts, strict=True)]


class _Chain:
    """Who comes first in a session, and who after whom."""

    def __init__(self, workload: Workload) -> None:
        chance = random.Random(f"experts {workload.seed}")  # noqa: S311 - a simulation, no secret
        direct = [expert for expert in workload.experts if not workload.follows.get(expert)]
        self._workload = workload
        self._ranked = chance.sample(direct, len(direct))
        self._weights = list(accumulate(1 / rank**workload.zipf for rank in range(1, len(direct) + 1)))
        self._subsequent: dict[str, list[str]] = {}
        for expert in sorted(workload.follows):
            for before in sorted(workload.follows[expert]):
                self._subsequent.setdefault(before, []).append(expert)
        self._companions = {expert: chance.choices(direct, k=COMPANIONS) for expert in workload.experts}

    def first(self, chance: random.Random) -> str:
        return chance.choices(self._ranked, cum_weights=self._weights)[0]

    def after(self, expert: str, chance: random.Random) -> str:
        model, draw = self._workload, chance.random()
        if before := model.follows.get(expert):
            return chance.choice(sorted(before)) if draw < model.back else self.first(chance)
        if draw < model.again:
            return expert
        if draw < model.again + model.companion:
            return chance.choice(self._companions[expert])
        if draw < model.again + model.companion + model.chained and expert in self._subsequent:
            return chance.choice(self._subsequent[expert])
        return self.first(chance)
