"""Agreement by embedding: the cosine of the drafts' vectors, negative ones taken as 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.batching import TextEmbedder
from orchestrator.config.fusion import Rule
from orchestrator.stages.agreement.measure import Agreed
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft

__all__ = ["ByEmbedding"]


class ByEmbedding:
    """Needs nobody but the embedder of the configuration, and can always compare."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder

    async def agreed(self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, rule: Rule) -> Agreed:  # noqa: ARG002 - as every measure
        """See `Measure`."""
        vectors = await self._embedder.embed([draft.text for draft in drafts])
        return Agreed.by_pairs("embedding", (vectors @ vectors.T).astype(np.float64))
