"""Replay of a trace over three tiers of memory: who was awake when asked, what switching cost, who had to leave.

The model. A request for an expert that is awake starts at once; experts answer any number of requests side by side
(continuous batching), each at the given rates of tokens. One link carries all moves, one after the other. Victims are
taken from those that are idle; where all are busy, from where the first answer ends, and the bytes go when it has: no
request reaches a sleeping expert. Who is woken is decided on arrival, or with `overtakes` when the link is free.

A hit: the request made nobody move, because its expert was awake, on its way, or (with `overtakes`) waited for already.
In time, hits depend on who is busy too. `Scenario.in_order` has no time: answers and moves take none, hits follow from
the order of the requests alone, and Belady's rule is a true bound where all experts are of one size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Self

import numpy as np

from orchestrator.fleet.residency.affinity import Affinity
from orchestrator.fleet.residency.placement import Move, Placement
from orchestrator.fleet.residency.policies import POLICIES, DependencyAware, Knowledge
from orchestrator.fleet.residency.queueing import Queue
from orchestrator.fleet.residency.tiers import Footprints, Link, Tier, Tiers
from orchestrator.fleet.residency.traces import Request

__all__ = ["Outcome", "Rates", "Scenario", "simulate"]


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast an awake expert is, for one request, in tokens a second."""

    input_per_s: float = 10_000.0
    output_per_s: float = 50.0

    def seconds(self, request: Request) -> float:
        """From its start to its last token."""
        return request.input_tokens / self.input_per_s + request.output_tokens / self.output_per_s


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is the same for every policy and capacity.

    warm_up: so many first requests fill the tiers and teach the policies, and are not reported. overtakes: requests
    for one expert are batched, and at most so many later ones go before an earlier one; None decides on arrival.
    prefetch: followers of this probability or more are woken while the link is idle; None fetches nothing early.
    """

    trace: Sequence[Request]
    footprints: Footprints
    knowledge: Knowledge
    tiers: Tiers
    rates: Rates = Rates()
    pinned: frozenset[str] = frozenset()
    warm_up: int = 0
    overtakes: int | None = None
    prefetch: float | None = None

    def in_order(self) -> Self:
        """The same without time."""
        at_once = Link(inf)
        tiers = replace(self.tiers, wake=at_once, load=at_once, sleep=None)
        return replace(self, tiers=tiers, rates=Rates(inf, inf), overtakes=None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of one replay, of the requests after the warm-up.

    switch_share: of all seconds of latency, those in which a request waited for its expert to be awake.
    evictions: by the tier that was left. throughput_per_s: requests by the seconds from first arrival to last end.
    """

    policy: str
    awake_bytes: int
    requests: int
    hit_ratio: float
    loads: int
    loads_from_cold: int
    prefetches: int
    evictions: dict[str, int]
    moved_bytes: int
    switch_share: float
    mean_s: float
    p50_s: float
    p95_s: float
    throughput_per_s: float


def simulate(scenario: Scenario, policy: str, *, progress: Callable[[int], None] | None = None) -> Outcome:
    """Replay the whole trace under one policy; `progress` is told every thousand requests how many are done."""
    run = _Run(scenario, policy)
    for number, request in enumerate(scenario.trace):
        if number == scenario.warm_up:
            run.report_from_here()
        run.arrive(request)
        if progress is not None and number % 1000 == 0:
            progress(number)
    run.finish()
    return run.outcome()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request in the queue. counted: it came after the warm-up."""

    request: Request
    counted: bool


class _Run:
    """The clockwork of one replay. All times in seconds of the trace."""

    def __init__(self, scenario: Scenario, policy: str) -> None:
        self._scenario = scenario
        self._name = policy
        self._policy = POLICIES[policy](scenario.knowledge)
        experts = scenario.knowledge.experts
        self._placement = Placement(
            scenario.footprints, tiers=scenario.tiers, policy=self._policy, pinned=scenario.pinned, asleep=experts
        )
        self._affinity = self._own_affinity() if scenario.prefetch is not None else None
        self._queue = None if scenario.overtakes is None else Queue[_Waiting](overtakes=scenario.overtakes)
        self._ready = dict.fromkeys(experts, 0.0)
        self._busy = dict.fromkeys(experts, 0.0)
        self._link_free_s = 0.0
        self._warm = not scenario.warm_up
        self._forget()

    def report_from_here(self) -> None:
        """The warm-up is over."""
        self._warm = True
        self._forget()

    def _forget(self) -> None:
        """What was counted so far, and nothing else."""
        self._waited_s: list[float] = []
        self._latency_s: list[float] = []
        self._first_s: float | None = None
        self._last_s = 0.0
        self._demanded: list[Move] = []
        self._moves: list[Move] = []
        self._prefetches = 0

    def arrive(self, request: Request) -> None:
        now_s = request.at_s
        if self._queue is not None:
            self._work_off(self._queue, until_s=now_s)
        self._policy.used(request.expert, at_s=now_s, session=request.session)
        if self._affinity is not None and not isinstance(self._policy, DependencyAware):
            self._affinity.observe(request.expert, at_s=now_s, session=request.session)
        if self._first_s is None:
            self._first_s = now_s
        idle = self._link_free_s <= now_s
        self._receive(request)
        if self._affinity is not None and idle:  # what is fetched early comes right after this request's own expert
            self._prefetch(self._affinity, request)

    def finish(self) -> None:
        if self._queue is not None:
            self._work_off(self._queue, until_s=float("inf"))

    def outcome(self) -> Outcome:
        latency = np.array(self._latency_s)
        reported = len(self._latency_s)
        left = [(move.source, move.target) for move in self._moves]
        return Outcome(
            policy=self._name,
            awake_bytes=self._scenario.tiers.awake_bytes,
            requests=reported,
            hit_ratio=1 - len(self._demanded) / reported,
            loads=len(self._demanded),
            loads_from_cold=sum(move.source is Tier.cold for move in self._demanded),
            prefetches=self._prefetches,
            evictions={
                tier: sum(source is tier and target is not Tier.awake for source, target in left)
                for tier in (Tier.awake, Tier.asleep)
            },
            moved_bytes=sum(move.moved_bytes for move in self._moves),
            switch_share=sum(self._waited_s) / max(float(latency.sum()), 1e-12),
            mean_s=float(latency.mean()),
            p50_s=float(np.percentile(latency, 50)),
            p95_s=float(np.percentile(latency, 95)),
            throughput_per_s=reported / max(self._last_s - (self._first_s or 0.0), 1e-9),
        )

    def _receive(self, request: Request) -> None:
        expert, queue = request.expert, self._queue
        if queue is None:
            if expert not in self._placement.awake:
                self._wake(expert, request.at_s, counted=True)
        elif expert in self._placement.awake and queue.admits(expert):
            queue.passed(expert)
        else:
            queue.put(expert, _Waiting(request, self._warm))
            self._work_off(queue, until_s=request.at_s)
            return
        self._serve(request, request.at_s, counted=True)

    def _serve(self, request: Request, now_s: float, *, counted: bool) -> None:
        start_s = max(now_s, self._ready[request.expert])
        end_s = start_s + self._scenario.rates.seconds(request)
        self._busy[request.expert] = max(self._busy[request.expert], end_s)
        if not counted:
            return
        self._last_s = max(self._last_s, end_s)
        self._waited_s.append(start_s - request.at_s)
        self._latency_s.append(end_s - request.at_s)

    def _wake(self, expert: str, now_s: float, *, counted: bool) -> None:
        plan, busy = self._placement.plan, self._busy_at(now_s)
        moves = plan(expert, now_s=now_s, held=busy)
        if moves is None:  # all are busy: room is where the first of them ends, or else where the policy says
            leaving = [other for other in self._placement.awake if other not in self._scenario.pinned]
            first = min(leaving, key=self._busy.__getitem__, default="")
            moves = plan(expert, now_s=now_s, held=busy - {first}) or plan(expert, now_s=now_s)
        if moves is None:
            raise ValueError(f"{expert!r} does not fit in the awake tier beside the pinned experts")
        if counted:
            self._demanded.append(moves[-1])
        self._move(moves, now_s)

    def _move(self, moves: Sequence[Move], now_s: float) -> None:
        drained_s = now_s
        takes_s = 0.0
        for move in moves:
            self._placement.apply(move)
            takes_s += move.seconds(self._scenario.tiers)
            if move.source is Tier.awake:
                drained_s = max(drained_s, self._busy[move.expert], self._ready[move.expert])
        self._link_free_s = max(self._link_free_s, now_s) + takes_s
        self._ready[moves[-1].expert] = max(self._link_free_s, drained_s + takes_s)
        self._moves += moves

    def _busy_at(self, now_s: float) -> set[str]:
        """Who is answering or on its way."""
        busy, ready = self._busy, self._ready
        return {expert for expert in self._placement.awake if busy[expert] > now_s or ready[expert] > now_s}

    def _work_off(self, queue: Queue[_Waiting], *, until_s: float) -> None:
        """Serve those who wait, as long as the link is free before `until_s`."""
        while len(queue) and self._link_free_s <= until_s:
            expert = queue.next_expert(awake=self._placement.awake)
            if expert is None:
                return
            batch = queue.take(expert)
            now_s = max(self._link_free_s, batch[0].request.at_s)
            if expert not in self._placement.awake:
                self._wake(expert, now_s, counted=batch[0].counted)
            for waiting in batch:
                self._serve(waiting.request, max(now_s, waiting.request.at_s), counted=waiting.counted)

    def _own_affinity(self) -> Affinity:
        if isinstance(self._policy, DependencyAware):
            return self._policy.affinity
        return Affinity(self._scenario.knowledge.experts)

    def _prefetch(self, affinity: Affinity, request: Request) -> None:
        """Wake the likeliest follower, where all who would leave for it are less likely to be asked next."""
        now_s = request.at_s
        for expert, _ in affinity.candidates(request.expert, least=self._scenario.prefetch or 0.0):
            if expert in self._placement.awake:
                continue
            moves = self._placement.plan(expert, now_s=now_s, held={request.expert} | self._busy_at(now_s))
            if moves is None:
                continue
            chances = affinity.next_request(now_s=now_s)
            leaving = [chances[affinity.index[move.expert]] for move in moves if move.source is Tier.awake]
            if all(chances[affinity.index[expert]] > chance for chance in leaving):
                self._move(moves, now_s)
                self._prefetches += 1
            return
