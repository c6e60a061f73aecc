"""Stage 3: asks the experts. One after the other for a single plan, side by side for a fuse plan.

The one layer that retries; every call passes the expert's guard (breaker, places, budget of retries). Expected errors
of experts become values: an attempt in the trace, and a reason to ask the next one. What has been emitted cannot be
taken back, so nobody else is asked after the first chunk.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from orchestrator import clock
from orchestrator.config.settings import Cost
from orchestrator.decision import Attempt, Failure, TokenCount
from orchestrator.errors import ExpertError, ExpertTimeout, NoExpertLeft
from orchestrator.fleet.guard import Visit
from orchestrator.fleet.registry import Registry
from orchestrator.stages.price import expected_usd
from orchestrator.trace import Stopwatch, Trace
from orchestrator.types import AtOnce, ChatRequest, Chunk, Draft, Emit, Progress, at_once

__all__ = ["Drafting", "Relay", "call", "nowhere", "report"]

Role = Literal["answer", "draft", "score", "verdict", "categorize"]
FUSION = "fusion"
"""Who speaks of progress where no expert does."""
MOST_WAIT_S = 1.0
"""An expert that asks to be left alone for longer is not waited for: the next one may answer sooner."""
FIRST_PAUSE_S = 0.1
"""Longest pause before the first retry, on top of what the expert asked for; each further one doubles it."""
MOST_PAUSE_S = 2.0
FIRST_SHARE = 0.75
"""Share of the time left in which an expert must begin to answer while another one could take its place: a server
that accepts and never speaks must not use up the fallback's time. Once something has gone out it has all of it."""
DRAFT_SHARE = 0.6
"""Share of the time left that drafts may take; what is not there by then is left out, and a verdict can follow."""


async def report(request: ChatRequest, what: str, done: int, total: int) -> None:
    """Tell a client that listens how far a fused answer is."""
    if request.report is not None:
        message = f"{what} {done} of {total}" if total > 1 else what
        await request.report(Progress(expert=FUSION, done=done, total=total, message=message))


async def nowhere(_: Chunk) -> None:
    """An `emit` for drafts that no client sees."""


@dataclass(slots=True)
class Relay:
    """Passes chunks on, and knows whether and when the first one went.

    late_at: when it is too late whatever has come, on anyio's clock. patience: within which the first chunk must come;
    it ends with that one. visit: of the call under way, once it has been let through.
    """

    emit: Emit
    late_at: float
    watch: Stopwatch = field(default_factory=Stopwatch)
    first_ms: float | None = None
    patience: anyio.CancelScope | None = None
    visit: Visit | None = None

    @property
    def begun(self) -> bool:
        return self.first_ms is not None

    @property
    def until(self) -> float:
        """When a call that has not begun to answer is given up, on anyio's clock."""
        return self.late_at if self.patience is None else min(self.late_at, self.patience.deadline)

    @property
    def now(self) -> AtOnce | None:
        """See `at_once`."""
        return at_once(self.emit) if self.begun else None

    def __call__(self, chunk: Chunk) -> Awaitable[None]:
        if self.first_ms is None:
            self.first_ms = self.watch.ms
            if self.patience is not None:
                self.patience.deadline = math.inf
            if self.visit is not None:
                self.visit.begin(until=self.late_at)
        return self.emit(chunk)


class Drafting:
    """Asks experts of one registry.

    attempts: most calls of one expert for one request. jitter: 0 to 1, the share of the longest pause before a retry
    that is waited: random, so that those who failed together do not come back together.
    """

    def __init__(self, registry: Registry, *, attempts: int = 2, jitter: Callable[[], float] = random.random) -> None:
        self._registry = registry
        self._attempts = attempts
        self._jitter = jitter

    async def first(self, experts: Sequence[str], request: ChatRequest, emit: Emit, trace: Trace) -> Draft:
        """The answer of the first expert that gives one.

        Raises:
            NoExpertLeft: none of several did; the failures are in the order tried.
            ExpertError: the only one did not, or one broke after its first chunk had gone out.

        """
        failures: list[ExpertError] = []
        relay = Relay(emit, request.deadline)
        for position, expert in enumerate(experts):
            share = 1.0 if position == len(experts) - 1 else FIRST_SHARE
            try:
                return await self._begun_within(share, expert, request, relay, trace, role="answer")
            except ExpertError as error:
                if relay.begun:
                    raise
                failures.append(error)
        if len(failures) == 1:  # with nobody in its place, its own error says more
            raise failures[0]
        raise NoExpertLeft(failures)

    async def side_by_side(
        self,
        experts: Sequence[str],
        request: ChatRequest,
        trace: Trace,
        *,
        quorum: int | None = None,
        grace_s: float = 0.0,
    ) -> list[Draft]:
        """The drafts of all experts that gave one in time, in the order of `experts`.

        quorum: so many drafts with text are enough; the others are cancelled after `grace_s`. Default: all.

        Raises:
            NoExpertLeft: none did.

        """
        drafts: dict[str, Draft] = {}
        failures: list[ExpertError] = []
        alone = request.replaced(stream=False, stream_options=None, n=None)

        async def one(expert: str) -> None:
            try:
                relay = Relay(nowhere, drafting.deadline)
                drafts[expert] = await self._ask(expert, alone, relay, trace, role="draft")
            except ExpertError as error:
                failures.append(error)
                return
            if quorum is not None and sum(bool(draft.text.strip()) for draft in drafts.values()) == quorum:
                drafting.deadline = min(drafting.deadline, anyio.current_time() + grace_s)
            await report(request, "drafting", len(drafts), len(experts))

        await report(request, "drafting", 0, len(experts))
        with anyio.move_on_after(request.left_s * DRAFT_SHARE) as drafting:
            async with anyio.create_task_group() as group:
                for expert in experts:
                    group.start_soon(one, expert)
        if not drafts:
            late = [expert for expert in experts if expert not in {failure.expert for failure in failures}]
            raise NoExpertLeft([*failures, *(ExpertTimeout(expert, "no draft in time") for expert in late)])
        return [drafts[expert] for expert in experts if expert in drafts]

    async def verdict(self, expert: str, request: ChatRequest, emit: Emit, trace: Trace) -> Draft | None:
        """The verdict expert's answer, or None when it failed before its first chunk.

        Raises:
            ExpertError: it broke after its first chunk had gone out.

        """
        relay = Relay(emit, request.deadline)
        try:
            return await self._begun_within(FIRST_SHARE, expert, request, relay, trace, role="verdict")
        except ExpertError:
            if relay.begun:
                raise
            return None

    def expected_usd(self, expert: str | None, request: ChatRequest) -> float:
        """What a call of an expert is expected to cost; 0 for nobody."""
        return 0.0 if expert is None else expected_usd(self._registry.settings(expert).cost, request)

    async def _begun_within(
        self, share: float, expert: str, request: ChatRequest, relay: Relay, trace: Trace, *, role: Role
    ) -> Draft:
        """Ask, and give up when nothing has come within this share of the time left."""
        if share == 1:
            relay.patience = None
            return await self._ask(expert, request, relay, trace, role=role)
        limit_s = request.left_s * share
        with anyio.move_on_after(limit_s) as relay.patience:
            return await self._ask(expert, request, relay, trace, role=role)
        raise ExpertTimeout(expert, f"no answer within {limit_s:.1f} s, so that another can still give one")

    async def _ask(self, expert: str, request: ChatRequest, relay: Relay, trace: Trace, *, role: Role) -> Draft:
        """One expert's draft, asked again where that may help and is allowed."""
        await self._registry.start(expert)
        retries = self._registry.guard(expert).retries
        retries.called()
        calls = 0
        while True:
            try:
                return await self._once(expert, request, relay, trace, role)
            except ExpertError as error:
                calls += 1
                pause_s = self._pause_s(error, expert, calls)
                in_time = clock.now() + pause_s < relay.until
                if relay.begun or not in_time or not retries.take():
                    raise
            await anyio.sleep(pause_s)

    def _pause_s(self, error: ExpertError, expert: str, calls: int) -> float:
        """How long to wait before the same expert is asked again after so many calls; infinite where it is not."""
        asked_s = error.retry_after_s or 0.0
        if not error.retryable or calls >= self._attempts or asked_s > MOST_WAIT_S:
            return math.inf
        if self._registry.condition(expert).state == "down":
            return math.inf
        return asked_s + self._jitter() * min(MOST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (calls - 1))

    async def _once(self, expert: str, request: ChatRequest, relay: Relay, trace: Trace, role: Role) -> Draft:
        relay.watch = trace.expert_begins()
        if role != "draft":
            trace.expert = expert  # so that a stream's headers name who is answering
        try:
            return await call(self._registry, expert, request, relay, role=role, attempts=trace.attempts)
        except ExpertError:
            trace.expert = None
            raise
        finally:
            trace.expert_ends()


async def call(
    registry: Registry, expert: str, request: ChatRequest, relay: Relay, *, role: Role, attempts: list[Attempt]
) -> Draft:
    """One call of an expert through its guard; what became of it is added to `attempts`.

    Raises:
        ExpertError: it did not answer, or was not asked.

    """
    relay.visit = draft = failure = None
    try:
        relay.visit = await registry.guard(expert).enter(relay.until)
        with relay.visit:
            draft = await registry[expert].draft(request, relay)
    except ExpertError as error:
        failure = Failure(kind=type(error).__name__, message=str(error))
        raise
    finally:
        took_ms = relay.watch.ms
        attempts.append(
            Attempt(
                expert=expert,
                role=role,
                outcome="answered" if draft is not None else "failed" if failure is not None else "cancelled",
                failure=failure,
                first_token_ms=relay.first_ms,
                queued_ms=took_ms if relay.visit is None else round(relay.visit.queued_s * 1000, 3),
                took_ms=took_ms,
                **(_of(draft, registry.settings(expert).cost) if draft is not None else {}),
            )
        )
    return draft


def _of(draft: Draft, cost: Cost) -> dict[str, Any]:
    """What an attempt says of its draft: who gave it, tokens, price, the wait for it to be awake, the tool."""
    tokens = TokenCount(input=draft.usage.input_tokens, output=draft.usage.output_tokens)
    usd = cost.usd(input_tokens=tokens.input, output_tokens=tokens.output)
    woke_ms = round(draft.woke_s * 1000, 3)
    return {"replica": draft.replica, "tokens": tokens, "cost_usd": usd, "woke_ms": woke_ms, "tool": draft.tool_choice}
