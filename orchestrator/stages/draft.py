"""Stage 3: asks the experts. One after the other for a single plan, side by side for a fuse plan.

The one layer that retries. Expected errors of experts become values: an attempt in the trace, and a reason to ask
the next one. What has been emitted cannot be taken back, so nobody else is asked after the first chunk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio
import stamina

from orchestrator.config.settings import Cost
from orchestrator.decision import Attempt, Failure, TokenCount
from orchestrator.errors import ExpertError, ExpertTimeout, NoExpertLeft
from orchestrator.fleet.registry import Registry
from orchestrator.trace import Stopwatch, Trace
from orchestrator.types import ChatRequest, Chunk, Draft, Emit

__all__ = ["Drafting", "answered", "nowhere"]

Role = Literal["answer", "draft", "verdict"]
MOST_WAIT_S = 1.0
"""An expert that asks to be left alone for longer is not waited for: the next one may answer sooner."""
FIRST_SHARE = 0.75
"""Share of the time left in which an expert must begin to answer while another one could take its place: a server
that accepts and never speaks must not use up the fallback's time. Once something has gone out it has all of it."""
DRAFT_SHARE = 0.6
"""Share of the time left that drafts may take; what is not there by then is left out, and a verdict can follow."""


async def nowhere(_: Chunk) -> None:
    """An `emit` for drafts that no client sees."""


@dataclass(slots=True)
class _Relay:
    """Passes chunks on, and knows whether and when the first one went. `patience` ends with the first chunk."""

    emit: Emit
    watch: Stopwatch = field(default_factory=Stopwatch)
    first_ms: float | None = None
    patience: anyio.CancelScope | None = None

    @property
    def begun(self) -> bool:
        return self.first_ms is not None

    async def __call__(self, chunk: Chunk) -> None:
        if self.first_ms is None:
            self.first_ms = self.watch.ms
            if self.patience is not None:
                self.patience.deadline = math.inf
        await self.emit(chunk)


class Drafting:
    """Asks experts of one registry; `attempts` is the most calls of one expert for one request."""

    def __init__(self, registry: Registry, *, attempts: int = 2) -> None:
        self._registry = registry
        self._attempts = attempts

    async def first(self, experts: Sequence[str], request: ChatRequest, emit: Emit, trace: Trace) -> Draft:
        """The answer of the first expert that gives one.

        Raises:
            NoExpertLeft: none of several did; the failures are in the order tried.
            ExpertError: the only one did not, or one broke after its first chunk had gone out.

        """
        failures: list[ExpertError] = []
        relay = _Relay(emit)
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

    async def side_by_side(self, experts: Sequence[str], request: ChatRequest, trace: Trace) -> list[Draft]:
        """The drafts of all experts that gave one in time, in the order of `experts`.

        Raises:
            NoExpertLeft: none did.

        """
        drafts: dict[str, Draft] = {}
        failures: list[ExpertError] = []
        alone = request.replaced(stream=False, stream_options=None, n=None)

        async def one(expert: str) -> None:
            try:
                drafts[expert] = await self._ask(expert, alone, _Relay(nowhere), trace, role="draft")
            except ExpertError as error:
                failures.append(error)

        with anyio.move_on_after(request.left_s * DRAFT_SHARE):
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
        relay = _Relay(emit)
        try:
            return await self._begun_within(FIRST_SHARE, expert, request, relay, trace, role="verdict")
        except ExpertError:
            if relay.begun:
                raise
            return None

    async def _begun_within(
        self, share: float, expert: str, request: ChatRequest, relay: _Relay, trace: Trace, *, role: Role
    ) -> Draft:
        """Ask, and give up when nothing has come within this share of the time left."""
        limit_s = request.left_s * share
        with anyio.move_on_after(limit_s if share < 1 else None) as relay.patience:
            return await self._ask(expert, request, relay, trace, role=role)
        raise ExpertTimeout(expert, f"no answer within {limit_s:.1f} s, so that another can still give one")

    async def _ask(self, expert: str, request: ChatRequest, relay: _Relay, trace: Trace, *, role: Role) -> Draft:
        """One expert's draft, asked again while it failed retryably, is not down, and nothing has gone out."""
        await self._registry.start(expert)

        def again(error: Exception) -> bool | float:
            if relay.begun or not isinstance(error, ExpertError) or not error.retryable:
                return False
            if self._registry.condition(expert).state == "down":
                return False
            if error.retry_after_s is not None and error.retry_after_s > MOST_WAIT_S:
                return False
            return error.retry_after_s or True

        retrying = stamina.AsyncRetryingCaller(
            attempts=self._attempts, timeout=request.left_s, wait_initial=0.05, wait_max=2.0, wait_jitter=0.1
        )
        return await retrying(again, self._once, expert, request, relay, trace, role)

    async def _once(self, expert: str, request: ChatRequest, relay: _Relay, trace: Trace, role: Role) -> Draft:
        cost = self._registry.settings(expert).cost
        with trace.expert_at_work() as watch:
            relay.watch = watch
            if role != "draft":
                trace.expert = expert  # so that a stream's headers name who is answering
            seen = Attempt(expert=expert, role=role, outcome="cancelled", took_ms=0)
            try:
                draft = await self._registry[expert].draft(request, relay)
                seen = answered(seen, draft, cost)
            except ExpertError as error:
                trace.expert = None
                failure = Failure(kind=type(error).__name__, message=str(error))
                seen = seen.model_copy(update={"outcome": "failed", "failure": failure})
                raise
            finally:
                times = {"first_token_ms": relay.first_ms, "took_ms": watch.ms}
                trace.attempts.append(seen.model_copy(update=times))
            return draft


def answered(seen: Attempt, draft: Draft, cost: Cost) -> Attempt:
    """The attempt once its draft is there, with tokens and price."""
    tokens = TokenCount(input=draft.usage.input_tokens, output=draft.usage.output_tokens)
    usd = cost.usd(input_tokens=tokens.input, output_tokens=tokens.output)
    return seen.model_copy(update={"outcome": "answered", "replica": draft.replica, "tokens": tokens, "cost_usd": usd})
