"""Stage 4: which drafts agree? Scores each draft by its disagreement with the others and keeps the nearest.

Or, where a plan was learned from recorded answers, the drafts' short answers vote (`elected`), by the functions that
replayed the records (`routers.fusion`), and those who gave the winning answer are kept.

The algebra is pure; only `Agreement` embeds texts. Source: Speculative Verdict (arXiv 2510.20812) in the form for
experts that cannot score likelihoods (PAPERS.md 1.3): d_j(y_i) = 1 - agree_j(y_i), d_j(y_j) = 0,
s(y_i) = sum over j != i of d_j(y_i), lower is nearer. For those that can, see `orchestrator.stages.likelihood`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.batching import TextEmbedder
from orchestrator.decision import Consensus
from orchestrator.trace import Stopwatch
from orchestrator.types import Draft
from routers.embedding import FloatArray
from routers.fusion import ballots_of, speakers, support
from routers.fusion.extraction import short_answer

__all__ = [
    "Agreement",
    "default_keep",
    "disagreement",
    "elected",
    "is_unanimous",
    "nearest",
    "number_kept",
    "summed",
    "with_text",
]

TIE = 1e-12
"""Scores this close at the cut are equal; which of them stays is drawn by the seed (as in the paper's code)."""


def default_keep(drafts: int) -> int:
    """Three fifths, rounded up: the paper keeps 3 of 5."""
    return math.ceil(drafts * 3 / 5)


def number_kept(drafts: int, keep: int | None) -> int:
    """How many of so many drafts stay, `keep` of them or by default."""
    return min(drafts, keep or default_keep(drafts))


def with_text(drafts: Sequence[Draft]) -> list[Draft]:
    """Those that say something: the others cannot be compared."""
    return [draft for draft in drafts if draft.text.strip()]


def is_unanimous(drafts: Sequence[Draft]) -> bool:
    """Whether several drafts are the same but for case and blanks."""
    return len(drafts) > 1 and len({" ".join(draft.text.split()).casefold() for draft in drafts}) == 1


def summed(distance: FloatArray) -> FloatArray:
    """s(y_i) of each draft from the matrix [k, k] of d_j(y_i), row judge on column draft, without the diagonal."""
    scores: FloatArray = distance.sum(axis=0) - np.diagonal(distance)
    return scores


def disagreement(agreement: FloatArray) -> FloatArray:
    """The same from the matrix of agreements in [0, 1]."""
    return summed(1.0 - agreement)


def nearest(scores: Sequence[float], keep: int, *, seed: int = 42) -> list[int]:
    """Positions of the `keep` lowest scores, in ascending order of position; ties at the cut are drawn by `seed`."""
    if keep >= len(scores):
        return list(range(len(scores)))
    cut = sorted(scores)[keep - 1]
    sure = [i for i, score in enumerate(scores) if score < cut - TIE]
    tied = [i for i, score in enumerate(scores) if abs(score - cut) <= TIE]
    drawn = random.Random(seed).sample(tied, keep - len(sure))  # noqa: S311 - a reproducible tie, not a secret
    return sorted([*sure, *drawn])


def elected(drafts: Sequence[Draft], weights: Mapping[str, float]) -> Consensus:
    """The vote of the drafts' short answers; kept are those who gave the answer that won, who speaks for it first.

    weights: of each vote, by expert, in the order in which they were learned: of equals the first wins. Where nobody
    gave a short answer, the first one with a text speaks for itself.
    """
    watch = Stopwatch()
    voting = sorted(with_text(drafts), key=lambda draft: list(weights).index(draft.expert))
    experts = [draft.expert for draft in voting]
    each = np.array([weights[expert] for expert in experts])
    ballots = ballots_of([[short_answer(draft.text) for draft in voting]])
    same, supports = ballots.same[0], support(ballots, each)[0]
    np.fill_diagonal(same, val=True)
    kept: list[int] = []
    if voting:
        winner = int(speakers(ballots, each)[0])
        kept = [winner, *(at for at in np.flatnonzero(same[winner]).tolist() if at != winner)]
    heard = {experts[at] for at in kept}
    return Consensus(
        measure="answer",
        experts=tuple(experts),
        agreement=tuple(tuple(map(float, row)) for row in same),
        scores=dict(zip(experts, map(float, disagreement(same.astype(np.float32))), strict=True)),
        support={expert: round(float(s), 6) for expert, s in zip(experts, supports, strict=True) if np.isfinite(s)},
        kept=tuple(experts[at] for at in kept),
        dissent=tuple(draft.expert for draft in drafts if draft.expert not in heard),
        unanimous=len(voting) > 1 and bool(same.all()),
        took_ms=watch.ms,
    )


class Agreement:
    """Measures agreement by the cosine of the drafts' embeddings, negative ones taken as 0."""

    measure = "embedding"

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder

    async def consensus(self, drafts: Sequence[Draft], *, keep: int | None) -> Consensus:
        """Keep `keep` of the drafts that have text (default: three fifths); drafts without any are dissent."""
        watch = Stopwatch()
        spoken = with_text(drafts)
        unanimous = is_unanimous(spoken)
        matrix = await self._matrix([draft.text for draft in spoken])
        scores = [float(score) for score in disagreement(matrix)]
        chosen = nearest(scores, len(spoken) if unanimous else number_kept(len(spoken), keep))
        kept = tuple(spoken[i].expert for i in chosen)
        return Consensus(
            measure=self.measure,
            experts=tuple(draft.expert for draft in spoken),
            agreement=tuple(tuple(round(float(cell), 6) for cell in row) for row in matrix),
            scores={draft.expert: round(score, 6) for draft, score in zip(spoken, scores, strict=True)},
            kept=kept,
            dissent=tuple(draft.expert for draft in drafts if draft.expert not in kept),
            unanimous=unanimous,
            took_ms=watch.ms,
        )

    async def _matrix(self, texts: Sequence[str]) -> FloatArray:
        vectors = await self._embedder.embed(texts)
        matrix: FloatArray = np.clip(vectors @ vectors.T, 0.0, 1.0)
        np.fill_diagonal(matrix, 1.0)
        return matrix
