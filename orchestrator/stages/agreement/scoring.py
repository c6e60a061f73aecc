"""Asks experts how likely they find drafts, all side by side. Knows no consensus.

A judge scores every draft in one call through its guard: an attempt of the role `score`, with its tokens and its cost.
Expected errors become gaps, and a reason for them; nothing is asked twice.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import anyio

from orchestrator import clock
from orchestrator.config.settings import Cost
from orchestrator.conversation.turns import query_of
from orchestrator.decision import Attempt, Failure, TokenCount
from orchestrator.errors import ExpertError
from orchestrator.experts.protocol import BatchScorer, Scorer, TokenLogprobs, TurnScorer
from orchestrator.fleet.registry import Registry
from orchestrator.trace import Stopwatch, Trace
from orchestrator.types import ChatRequest, Usage

__all__ = ["SCORE_SHARE", "Judging", "Row"]

SCORE_SHARE = 0.5
"""Share of the time left that scoring may take, so that a verdict can follow; a judge that is late does not count."""

Tokens = Literal["answer", "question+answer"]
Result = TokenLogprobs | ExpertError
ManyScored = Callable[[ChatRequest, Sequence[str]], Awaitable[Sequence[Result]]]
_TOGETHER = "Question: {question}\nAnswer: {answer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one judge said. nll: mean negative log-likelihood per token of each draft; None where there is none.

    gap: why there is none, of the first such draft; empty where there are all.
    """

    nll: tuple[float | None, ...]
    gap: str = ""

    @property
    def whole(self) -> bool:
        """Whether every draft was scored."""
        return None not in self.nll


class Judging:
    """Asks experts of one registry; one that is no `Scorer`, or says that it cannot, is no judge."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def can(self, expert: str, tokens: Tokens = "answer") -> bool:
        """Whether an expert can be a judge by these tokens; one that has not been built yet is none."""
        built = self._registry.built(expert)
        if built is None or not built.capabilities.score:
            return False
        return isinstance(built, Scorer if tokens == "answer" else TurnScorer)

    async def rows(
        self,
        judges: Sequence[str],
        answers: Sequence[str],
        request: ChatRequest,
        trace: Trace,
        *,
        tokens: Tokens = "answer",
    ) -> dict[str, Row]:
        """What each of the judges says of all answers, within a share of the time left.

        tokens: whose count; with the question's, each answer is told with it as the user's words, as the released code
        of Speculative Verdict does (PAPERS.md 1.3).
        """
        if tokens == "question+answer":
            question = query_of(request.messages)
            answers = [_TOGETHER.format(question=question, answer=answer) for answer in answers]
        found: dict[str, Row] = {}
        late = Row(nll=(None,) * len(answers), gap="no scores in time")
        limited = replace(request, deadline=clock.now() + request.left_s * SCORE_SHARE)

        async def one(judge: str) -> None:
            found[judge] = await self._row(judge, answers, limited, trace, tokens)

        with anyio.move_on_at(limited.deadline):
            async with anyio.create_task_group() as group:
                for judge in judges:
                    group.start_soon(one, judge)
        return {judge: found.get(judge, late) for judge in judges}

    async def _row(self, judge: str, answers: Sequence[str], request: ChatRequest, trace: Trace, tokens: Tokens) -> Row:
        call = _Call(judge, self._registry.settings(judge).cost)
        with trace.expert_at_work() as watch:
            try:
                visit = await self._registry.guard(judge).enter(request.deadline)
                call.queued_ms = round(visit.queued_s * 1000, 3)
                with visit:
                    await self._score(call, answers, request, tokens)
            except ExpertError as error:
                call.error = error
            finally:
                trace.attempts.append(call.attempt(watch))
        return call.row(len(answers))

    async def _score(self, call: _Call, answers: Sequence[str], request: ChatRequest, tokens: Tokens) -> None:
        expert = self._registry[call.judge]
        many: ManyScored | None = None
        if tokens == "question+answer" and isinstance(expert, TurnScorer):
            many = expert.score_turns
        elif isinstance(expert, BatchScorer):
            many = expert.score_many
        if many is not None:
            call.results.extend(await many(request, answers))
            if call.failure is not None and all(isinstance(result, ExpertError) for result in call.results):
                raise call.failure  # so that the guard knows of it
        elif isinstance(expert, Scorer):
            for answer in answers:
                call.results.append(await expert.score(request, answer))
        call.over = True


class _Call:
    """One call of a judge: its results so far, the error that ended it, and whether it came to its own end."""

    def __init__(self, judge: str, cost: Cost) -> None:
        self.judge = judge
        self.results: list[Result] = []
        self.error: ExpertError | None = None
        self.over = False
        self.queued_ms: float | None = None
        self._cost = cost

    @property
    def failure(self) -> ExpertError | None:
        """The first error."""
        return next((result for result in self.results if isinstance(result, ExpertError)), self.error)

    def attempt(self, watch: Stopwatch) -> Attempt:
        """What goes into the trace."""
        scored = [result.usage for result in self.results if isinstance(result, TokenLogprobs)]
        used = sum(scored, Usage())
        usd = self._cost.usd(input_tokens=used.input_tokens, output_tokens=used.output_tokens)
        error = self.failure
        return Attempt(
            expert=self.judge,
            role="score",
            outcome="failed" if error else "answered" if self.over else "cancelled",
            failure=Failure(kind=type(error).__name__, message=str(error)) if error else None,
            tokens=TokenCount(input=used.input_tokens, output=used.output_tokens) if scored else None,
            cost_usd=usd if scored else 0.0,
            queued_ms=watch.ms if self.queued_ms is None else self.queued_ms,
            took_ms=watch.ms,
        )

    def row(self, answers: int) -> Row:
        """What it said of so many answers."""
        nll = [_nll(result) for result in self.results]
        nll += [None] * (answers - len(nll))
        unsound = "a likelihood that is no number" if None in nll else ""
        return Row(nll=tuple(nll), gap=str(self.failure or unsound))


def _nll(result: Result) -> float | None:
    """None as well for what is no number of a likelihood, or has no token: nothing is not the likeliest answer."""
    if isinstance(result, ExpertError) or not result.logprobs or not math.isfinite(result.nll):
        return None
    return result.nll
