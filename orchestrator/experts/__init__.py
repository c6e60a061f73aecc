"""Experts: everything a query can be sent to, behind one protocol. One sub-package a kind."""

from orchestrator.experts.protocol import (
    BatchScorer,
    Capabilities,
    Condition,
    EmbeddingServer,
    Expert,
    HedgeCounts,
    LiveChecked,
    LiveGrade,
    LiveProblem,
    ReplicaSeen,
    Replicated,
    Scorer,
    Searcher,
    State,
    Supervised,
    TokenLogprobs,
    TurnScorer,
)
from orchestrator.experts.site import Site

__all__ = [
    "BatchScorer",
    "Capabilities",
    "Condition",
    "EmbeddingServer",
    "Expert",
    "HedgeCounts",
    "LiveChecked",
    "LiveGrade",
    "LiveProblem",
    "ReplicaSeen",
    "Replicated",
    "Scorer",
    "Searcher",
    "Site",
    "State",
    "Supervised",
    "TokenLogprobs",
    "TurnScorer",
]
