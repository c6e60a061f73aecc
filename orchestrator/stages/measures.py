"""The measures of agreement by name: a plan's rule says which one is used."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.batching import TextEmbedder
from orchestrator.config.fusion import Rule
from orchestrator.decision import Consensus
from orchestrator.fleet.registry import Registry
from orchestrator.stages.consensus import Agreement
from orchestrator.stages.likelihood import Likelihood
from orchestrator.stages.score import Judging
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft

__all__ = ["Measures"]


class Measures:
    """Every measure there is, over the experts of one registry."""

    def __init__(self, registry: Registry, embedder: TextEmbedder) -> None:
        self._embedding = Agreement(embedder)
        self._likelihood = Likelihood(Judging(registry), self._embedding)

    async def consensus(self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, rule: Rule) -> Consensus:
        """Which of the drafts agree, by the measure of the rule."""
        if rule.consensus == "likelihood":
            return await self._likelihood.consensus(drafts, request, trace, keep=rule.keep)
        return await self._embedding.consensus(drafts, keep=rule.keep)
