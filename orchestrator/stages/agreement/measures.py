"""The measures by name, and what takes the place of one that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.batching import TextEmbedder
from orchestrator.config.fusion import Rule
from orchestrator.decision import Consensus
from orchestrator.fleet.registry import Registry
from orchestrator.stages.agreement.answers import ByAnswer
from orchestrator.stages.agreement.comparing import ByEntailment, ByJudge
from orchestrator.stages.agreement.embedding import ByEmbedding
from orchestrator.stages.agreement.likelihood import ByLikelihood
from orchestrator.stages.agreement.measure import Agreed, Measure, NotMeasured
from orchestrator.stages.agreement.outcomes import ByOutcome
from orchestrator.stages.agreement.scoring import Judging
from orchestrator.stages.consensus import is_unanimous, kept_of, with_text
from orchestrator.trace import Stopwatch, Trace
from orchestrator.types import ChatRequest, Draft

__all__ = ["Measures"]

_INSTEAD: Mapping[str, tuple[str, ...]] = {"judge": ("answer",), "entailment": ("answer",), "outcome": ("answer",)}
"""What is tried where a measure cannot be used; the last resort of all is `embedding`, which always can."""


class Measures:
    """Every measure there is, over the experts of one registry."""

    def __init__(self, registry: Registry, embedder: TextEmbedder) -> None:
        self._embedding = ByEmbedding(embedder)
        self._others: dict[str, Measure] = {
            "likelihood": ByLikelihood(Judging(registry)),
            "answer": ByAnswer(),
            "judge": ByJudge(registry),
            "entailment": ByEntailment(registry),
            "outcome": ByOutcome(registry),
        }

    async def consensus(
        self,
        drafts: Sequence[Draft],
        request: ChatRequest,
        trace: Trace,
        *,
        rule: Rule,
        reliability: Mapping[str, float] | None = None,
    ) -> Consensus:
        """Which of the drafts agree, by the measure of the rule; drafts without text are dissent.

        Drafts that are all the same need no measure, and nobody is asked for any. reliability: see `kept_of`.
        """
        watch = Stopwatch()
        spoken = with_text(drafts)
        if not spoken:
            found = _nothing(rule)
        else:
            agreed = await self._agreed(spoken, request, trace, rule)
            found = kept_of(spoken, agreed, rule, reliability=reliability)
        silent = tuple(draft.expert for draft in drafts if draft not in spoken)
        dissent = tuple(draft.expert for draft in drafts if draft.expert in {*found.dissent, *silent})
        return found.model_copy(update={"dissent": dissent, "took_ms": watch.ms})

    async def _agreed(self, spoken: Sequence[Draft], request: ChatRequest, trace: Trace, rule: Rule) -> Agreed:
        reasons: list[str] = []
        nll: Mapping[str, tuple[float | None, ...]] = {}
        if len(spoken) > 1 and not is_unanimous(spoken):
            for name in (rule.consensus, *_INSTEAD.get(rule.consensus, ())):
                if (measure := self._others.get(name)) is None:
                    break
                try:
                    agreed = await measure.agreed(spoken, request, trace, rule=rule)
                    return replace(agreed, reason="; ".join([*reasons, *([agreed.reason] if agreed.reason else [])]))
                except NotMeasured as why:
                    reasons.append(f"not by {name}: {why}")
                    nll = why.nll or nll
        elif rule.consensus != "embedding":
            reasons.append(f"not by {rule.consensus}: there is nothing to compare")
        agreed = await self._embedding.agreed(spoken, request, trace, rule=rule)
        return replace(agreed, reason="; ".join(reasons), nll=nll)


def _nothing(rule: Rule) -> Consensus:
    return Consensus(measure=rule.consensus, experts=(), scores={}, kept=(), dissent=(), unanimous=False, took_ms=0.0)
