"""The flow, on one screen: categorize -> choose -> draft -> consensus -> verdict.

Knows no surface and no kind of expert. Every stage leaves its part in the trace; the trace is the decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from orchestrator import clock
from orchestrator.config.fusion import Rule
from orchestrator.config.settings import Budget
from orchestrator.controls import NO_CONTROLS, Controls
from orchestrator.conversation.sessions import Sessions
from orchestrator.conversation.turns import Turn, turn_of
from orchestrator.decision import Categorized, Chosen, DraftSeen, Explanation
from orchestrator.errors import DeadlineExceeded, ExpertFailed, InvalidRequest, NoExpertLeft, OrchestratorError
from orchestrator.retriever_choice import RetrieverChoice
from orchestrator.serving import Serving
from orchestrator.stages.agreement.measures import Measures
from orchestrator.stages.categorize import Categorizer
from orchestrator.stages.choose import ALIASES, Before, Chooser
from orchestrator.stages.consensus import elected, with_text
from orchestrator.stages.draft import Drafting, report
from orchestrator.stages.totals import Totalled, with_total
from orchestrator.stages.verdict import Concluding, relay, voted
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft, Emit

__all__ = ["Pipeline"]

BYPASSED = Categorized(method="bypass", category=None, took_ms=0.0)


class Pipeline:
    """Answers requests. One for the whole service; holds no state of a request, but whom conversations are with."""

    def __init__(
        self,
        *,
        categorizer: Categorizer,
        chooser: Chooser,
        drafting: Drafting,
        measures: Measures,
        sessions: Sessions,
        retrievers: RetrieverChoice | None = None,
        budget: Budget,
    ) -> None:
        self._categorizer = categorizer
        self._chooser = chooser
        self._drafting = drafting
        self._measures = measures
        self._sessions = sessions
        self._retrievers = retrievers
        self.budget = budget

    def request(
        self, body: Mapping[str, Any], *, model: str, controls: Controls = NO_CONTROLS, session: str | None = None
    ) -> tuple[ChatRequest, Trace]:
        """A checked body on its way in: its deadline starts now.

        controls, session: see `ChatRequest`.

        Raises:
            UnknownModel: before anything else is done.
            UnknownCategory: the controls name a category that is none.
            InvalidRequest: they contradict the model.

        """
        self._chooser.check_model(model)
        if controls.category is not None:
            self._chooser.check_category(controls.category)
        if model == "fuse" and controls.fuse is False:
            raise InvalidRequest("The model 'fuse' and 'fuse': false contradict each other.", param="fuse")
        deadline = clock.now() + min(self.budget.deadline_s, controls.deadline_s or self.budget.deadline_s)
        request = ChatRequest(body=body, deadline=deadline, controls=controls, session=session)
        return request, Trace(model=model, turn=turn_of(request.messages, tools=bool(body.get("tools"))))

    async def route(self, request: ChatRequest, trace: Trace, *, explain: bool = False) -> Chosen:
        """The first two stages alone: what would be done, without asking any expert.

        explain: find out what decided the category too, which costs more than deciding.
        """
        if trace.model not in {"auto", "fuse"}:
            trace.categorized = BYPASSED
            trace.chosen = self._chooser.bypass(trace.model, request)
            return trace.chosen
        plans = self._chooser.plans  # those of the artifact that categorizes, should another one take over meanwhile
        if request.controls.category is None:
            trace.categorized, classified = await self._categorizer.categorize_turn(trace.turn)
        else:
            trace.categorized, classified = _overridden(request.controls.category), trace.query
        if (explain or request.controls.explain) and trace.categorized.method == "router":
            trace.explanation = await self._explanation(trace.categorized, classified)
        ranked = () if self._retrievers is None else await self._retrievers.ranked(trace.query, trace.categorized)
        trace.chosen = self._chooser.choose(
            trace.categorized,
            request,
            fuse=trace.model == "fuse" or request.controls.fuse is True,
            plans=plans,
            retrievers=ranked,
            before=self._before(request, trace.turn),
        )
        return trace.chosen

    def _before(self, request: ChatRequest, turn: Turn) -> Before | None:
        """Whom the conversation is with."""
        if (at_work := self._sessions.in_loop(turn, request.session)) is not None:
            return Before(expert=at_work, looping=True, turn=turn)
        settled = self._sessions.settled(request.session)
        return None if settled is None else Before(expert=settled, looping=False, turn=turn)

    def _answered(self, request: ChatRequest, trace: Trace, chosen: Chosen) -> None:
        """Remember who answered. Only whom the plan puts first settles a conversation: nobody's stand-in does.

        Who goes on with a loop settles nothing: what the loop's first answer settled stays.
        """
        if trace.expert is None or trace.model not in ALIASES or trace.categorized is None:
            return
        first = chosen.plan == "fuse" or (trace.expert == chosen.experts[0] and not chosen.stand_in)
        looping = chosen.session is not None and chosen.session.looping
        settles = first and not looping and trace.categorized.method != "degraded"
        self._sessions.answered(trace.turn, request.session, trace.expert, settles=settles)

    def use(self, serving: Serving) -> None:
        """Decide by this artifact from now on; requests that have begun end with the one they began with."""
        self._categorizer.use(serving.router, generation=serving.label)
        self._chooser.plans = serving.plans

    async def _explanation(self, categorized: Categorized, text: str) -> Explanation | None:
        """None where another artifact has taken over since: it would explain what it did not decide."""
        mine = categorized.generation == self._categorizer.generation
        return await self._categorizer.explain(text) if mine else None

    async def answer(self, request: ChatRequest, emit: Emit, trace: Trace) -> Draft:
        """The whole flow within the request's deadline: the answer, and its decision in `trace`, also when it fails.

        Raises:
            NoExpertLeft: no expert of the plan answered.
            DeadlineExceeded: `budget.deadline_s` was used up.
            ExpertError: the only expert of the plan failed, or one broke after its first chunk had gone out.

        """
        with anyio.move_on_at(request.deadline):
            return await self.run(request, emit, trace)
        raise self.too_late(trace)

    async def run(self, request: ChatRequest, emit: Emit, trace: Trace) -> Draft:
        """The whole flow for a caller that cancels it at the deadline; see `answer`."""
        try:
            chosen = await self.route(request, trace)
            answer = await self._answer(chosen, request, emit, trace)
            self._answered(request, trace, chosen)
        except OrchestratorError as error:
            trace.fail(error)
            raise
        else:
            return answer
        finally:
            trace.close()

    async def _answer(self, chosen: Chosen, request: ChatRequest, emit: Emit, trace: Trace) -> Draft:
        if chosen.plan == "single":
            return relay(await self._drafting.first(chosen.experts, request, emit, trace), trace)
        rule = chosen.rule or Rule()
        drafts = await self._drafting.side_by_side(
            chosen.experts, request, trace, quorum=rule.quorum, grace_s=rule.grace_s
        )
        return await self._fuse(drafts, chosen, request, emit, trace)

    def too_late(self, trace: Trace) -> DeadlineExceeded:
        """The error of a request that was cancelled at its deadline, noted in its trace."""
        error = DeadlineExceeded(self.budget.deadline_s, _waiting_for(trace))
        trace.fail(error)
        return error

    async def _fuse(
        self, drafts: Sequence[Draft], chosen: Chosen, request: ChatRequest, emit: Emit, trace: Trace
    ) -> Draft:
        trace.drafts = [_seen(draft) for draft in drafts]
        _check_enough(drafts, 1 if chosen.rule is None else chosen.rule.min_drafts)
        await report(request, "consensus", 1, 1)
        if chosen.rule is None:
            found = elected(drafts, chosen.weights)
            best_first = list(found.kept)
        else:
            found = await self._measures.consensus(
                drafts, request, trace, rule=chosen.rule, reliability=chosen.reliability
            )
            best_first = sorted(found.kept, key=found.scores.__getitem__)
        trace.consensus = found
        by_expert = {draft.expert: draft for draft in drafts}
        kept = [by_expert[expert] for expert in best_first]
        await report(request, "verdict", 1, 1)
        summing = Totalled(emit, trace)
        if chosen.rule is None:
            answer = await voted(kept, request, summing, trace=trace)
        else:
            dissent = [by_expert[expert] for expert in found.dissent if by_expert[expert].text.strip()]
            concluding = Concluding(drafting=self._drafting, request=request, emit=summing, chosen=chosen, trace=trace)
            answer = await concluding.answer(kept, dissent, found)
        return with_total(answer, trace.attempts)


def _overridden(category: str) -> Categorized:
    return Categorized(method="override", category=category, reason="named by the client", took_ms=0.0)


def _check_enough(drafts: Sequence[Draft], least: int) -> None:
    """Raise NoExpertLeft where fewer drafts than that have text."""
    spoken = with_text(drafts)
    if not spoken:
        raise NoExpertLeft([ExpertFailed(draft.expert, "its draft has no text to compare") for draft in drafts])
    if len(spoken) < least:
        why = f"only {len(spoken)} of {len(drafts)} drafts can be used, fusion.min_drafts is {least}"
        raise NoExpertLeft([ExpertFailed(draft.expert, why) for draft in spoken])


def _seen(draft: Draft) -> DraftSeen:
    cited = tuple(passage.document for passage in draft.passages if passage.cited is not False)
    return DraftSeen(expert=draft.expert, text=draft.text, citations=cited)


def _waiting_for(trace: Trace) -> str:
    if trace.chosen is None:
        return "the classifier"
    late = [attempt.expert for attempt in trace.attempts if attempt.outcome == "cancelled"]
    return ", ".join(dict.fromkeys(late)) or "the experts"
