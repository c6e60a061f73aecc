"""Stage 5: the answer. A single answer is relayed; of drafts, the verdict sees what the consensus kept.

Its kinds: a draft is chosen, a verdict is written from the kept drafts, a stronger expert is asked where the consensus
is weak, or nobody answers then. Where the drafts' answers voted, a draft that gave the answer which won is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.decision import Chosen, Consensus, Verdict
from orchestrator.stages.briefing import briefing_of, verdict_request
from orchestrator.stages.draft import Drafting
from orchestrator.trace import Stopwatch, Trace
from orchestrator.types import ChatRequest, Draft, Emit, Usage
from orchestrator.wire import emit_whole

__all__ = ["ABSTAINED", "Concluding", "relay", "voted"]

ABSTAINED = "I cannot answer this reliably: several assistants were asked, and their answers disagree."
"""The answer where nobody answers: an ordinary one, so that every client can show it; the decision says `abstain`."""


def relay(draft: Draft, trace: Trace) -> Draft:
    """The one answer as it came."""
    trace.verdict = Verdict(kind="relay", expert=draft.expert, saw=(draft.expert,), took_ms=0.0)
    trace.expert = draft.expert
    return draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluding:
    """Makes one answer of the drafts of one request.

    drafting: asks experts. request: what they were asked. emit: takes the answer. chosen: whose rule holds.
    """

    drafting: Drafting
    request: ChatRequest
    emit: Emit
    chosen: Chosen
    trace: Trace

    async def answer(self, kept: Sequence[Draft], dissent: Sequence[Draft], consensus: Consensus) -> Draft:
        """By the plan's rule. kept: nearest first.

        Where whoever should write or escalate fails, the next weaker way is taken, and the decision says so.
        """
        watch = Stopwatch()
        rule, why = self.chosen.rule, ""
        weak = rule is not None and not consensus.unanimous and consensus.strength < rule.weak_below
        if rule is not None and weak and rule.when_weak == "abstain":
            return await self._abstain(consensus, rule.weak_below, watch)
        if rule is not None and weak and rule.when_weak == "escalate" and rule.escalate_to is not None:
            answer = await self._escalate(rule.escalate_to, consensus, rule.weak_below, watch)
            if answer is not None:
                return answer
            why = f"{rule.escalate_to!r}, to whom a weak consensus is escalated, failed; "
        if consensus.unanimous:
            planned = rule is not None and rule.kind == "synthesize"
            saved = self.drafting.expected_usd(self.chosen.verdict, self.request) if planned else None
            return await self._choose(kept, f"{why}all drafts are the same", watch, saved_usd=saved)
        if rule is not None and rule.kind == "choose":
            return await self._choose(kept, f"{why}the nearest to the consensus", watch)
        minority = dissent if rule is not None and rule.minority == "show" else ()
        if len(kept) + len(minority) == 1:
            return await self._choose(kept, f"{why}there is only one draft", watch)
        return await self._synthesize(kept, minority, why, watch)

    async def _synthesize(self, kept: Sequence[Draft], minority: Sequence[Draft], why: str, watch: Stopwatch) -> Draft:
        rule, writer = self.chosen.rule, self.chosen.verdict
        if writer is None or rule is None:
            message = "a verdict needs a rule and a chosen verdict expert"
            raise RuntimeError(message)
        briefing = briefing_of(kept, minority, tokens=rule.context_tokens)
        answer = await self.drafting.verdict(writer, verdict_request(self.request, briefing), self.emit, self.trace)
        if answer is None:
            return await self._choose(kept, f"{why}{writer!r} failed", watch)
        self.trace.verdict = Verdict(
            kind="synthesize",
            expert=writer,
            saw=_ids([*kept, *minority]),
            prompt=briefing,
            reason=why.removesuffix("; "),
            took_ms=watch.ms,
        )
        self.trace.expert = writer
        return answer

    async def _escalate(self, expert: str, consensus: Consensus, least: float, watch: Stopwatch) -> Draft | None:
        """A stronger expert is asked as if nobody had drafted; None where it does not answer."""
        answer = await self.drafting.verdict(expert, self.request, self.emit, self.trace)
        if answer is not None:
            why = _weakness(consensus, least)
            self.trace.verdict = Verdict(kind="escalate", expert=expert, reason=why, took_ms=watch.ms)
            self.trace.expert = expert
        return answer

    async def _abstain(self, consensus: Consensus, least: float, watch: Stopwatch) -> Draft:
        """In the name of whoever would have written the answer."""
        name = self.chosen.verdict or self.chosen.experts[0]
        draft = Draft(expert=name, text=ABSTAINED, total_s=0.0)
        self.trace.expert = name
        await emit_whole(draft, self.request, self.emit)
        self.trace.verdict = Verdict(kind="abstain", expert=name, reason=_weakness(consensus, least), took_ms=watch.ms)
        return draft

    async def _choose(
        self, kept: Sequence[Draft], reason: str, watch: Stopwatch, *, saved_usd: float | None = None
    ) -> Draft:
        return await _chosen(
            kept, self.request, self.emit, reason=reason, watch=watch, trace=self.trace, saved_usd=saved_usd
        )


async def voted(kept: Sequence[Draft], request: ChatRequest, emit: Emit, *, trace: Trace) -> Draft:
    """The draft that speaks for the answer which won: the first of the kept ones, as it came."""
    watch = Stopwatch()
    if trace.consensus is None or trace.chosen is None:
        message = "a vote needs a consensus and its weights"
        raise RuntimeError(message)
    support = trace.consensus.support
    if kept[0].expert in support:
        cast = sum(trace.chosen.weights[expert] for expert in support)
        reason = f"its answer has {support[kept[0].expert]:.2f} of the votes' {cast:.2f}"
    else:
        reason = "no draft has a short answer to vote for"
    return await _chosen(kept, request, emit, reason=reason, watch=watch, trace=trace)


async def _chosen(
    kept: Sequence[Draft],
    request: ChatRequest,
    emit: Emit,
    *,
    reason: str,
    watch: Stopwatch,
    trace: Trace,
    saved_usd: float | None = None,
) -> Draft:
    winner = kept[0]
    trace.expert = winner.expert  # before its chunks, so that a stream's headers name it
    await emit_whole(replace(winner, usage=Usage()), request, emit)  # `emit` adds what all calls used, this one's too
    trace.verdict = Verdict(
        kind="choose", expert=winner.expert, saw=_ids(kept), reason=reason, saved_usd=saved_usd, took_ms=watch.ms
    )
    return winner


def _weakness(consensus: Consensus, least: float) -> str:
    return f"the consensus is weak: {consensus.strength:.2f}, and weak_below is {least:g}"


def _ids(drafts: Sequence[Draft]) -> tuple[str, ...]:
    return tuple(draft.expert for draft in drafts)
