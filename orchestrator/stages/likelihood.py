"""Agreement by likelihood: drafts are near to each other where the experts find them as likely as their own.

Source: Speculative Verdict (arXiv 2510.20812; PAPERS.md 1.3), with the tokens of the answer alone:
d_j(y_i) = |NLL_j(y_i) - NLL_j(y_j)|, NLL_j the mean negative log-likelihood per token under expert j, and
s(y_i) = the sum over j != i of d_j(y_i), lower is nearer.

Gaps. An expert that cannot score does not judge, and its draft is judged by the others all the same. A judge with a
gap in its row is left out altogether, whichever draft it is that it could not score: half a row would favour the
drafts that it does not reach. Drafts then have different numbers of judges (one does not judge itself), so that the sum
is taken as k - 1 times the mean over the judges there are; with all of them that is the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from orchestrator.decision import Consensus
from orchestrator.stages.consensus import Agreement, is_unanimous, nearest, number_kept, with_text
from orchestrator.stages.score import Judging, Row
from orchestrator.trace import Stopwatch, Trace
from orchestrator.types import ChatRequest, Draft

__all__ = ["Likelihood", "peer_scores"]

FEWEST_JUDGES = 2
"""With one judge, its own draft would have nobody to judge it."""

Matrix = npt.NDArray[np.float64]


def peer_scores(nll: Matrix) -> list[float]:
    """s(y_i) of each draft from the likelihoods [k, k], row judge on column draft, in the same order of experts.

    A row with a NaN is no judge; at least two must be left.
    """
    judges = ~np.isnan(nll).any(axis=1)
    distance = np.abs(nll - np.diag(nll)[:, None])[judges]  # 0 for a judge's own draft
    peers = judges.sum() - judges  # of each draft: the judges but itself
    scores: list[float] = ((len(nll) - 1) * distance.sum(axis=0) / peers).tolist()
    return scores


class Likelihood:
    """Measures agreement by likelihood; where fewer than two experts can score, by embedding, and says so."""

    measure = "likelihood"

    def __init__(self, judging: Judging, instead: Agreement) -> None:
        self._judging = judging
        self._instead = instead

    async def consensus(
        self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, keep: int | None
    ) -> Consensus:
        """Keep `keep` of the drafts that have text (default: three fifths); drafts without any are dissent.

        Drafts that are all the same need no scores, and nobody is asked for any.
        """
        watch = Stopwatch()
        spoken = with_text(drafts)
        experts = [draft.expert for draft in spoken]
        if len(spoken) < 2 or is_unanimous(spoken):  # noqa: PLR2004 - there is nothing to compare
            return await self._by_embedding(drafts, keep, "there is nothing to score", {}, watch)
        able = [expert for expert in experts if self._judging.can(expert)]
        if len(able) < FEWEST_JUDGES:
            return await self._by_embedding(drafts, keep, _too_few(able), {}, watch)
        rows = await self._judging.rows(able, [draft.text for draft in spoken], request, trace)
        judges = [judge for judge, row in rows.items() if row.whole]
        if len(judges) < FEWEST_JUDGES:
            return await self._by_embedding(drafts, keep, f"{_too_few(judges)} ({_gaps(rows)})", rows, watch)
        scores = peer_scores(_matrix(rows, experts))
        kept = tuple(experts[i] for i in nearest(scores, number_kept(len(spoken), keep)))
        return Consensus(
            measure=self.measure,
            reason=_gaps(rows),
            experts=tuple(experts),
            nll=_shown(rows),
            judges=tuple(judges),
            scores={expert: round(score, 6) for expert, score in zip(experts, scores, strict=True)},
            kept=kept,
            dissent=tuple(draft.expert for draft in drafts if draft.expert not in kept),
            unanimous=False,
            took_ms=watch.ms,
        )

    async def _by_embedding(
        self, drafts: Sequence[Draft], keep: int | None, reason: str, rows: Mapping[str, Row], watch: Stopwatch
    ) -> Consensus:
        measured = await self._instead.consensus(drafts, keep=keep)
        told = f"not by likelihood: {reason}"
        return measured.model_copy(update={"reason": told, "nll": _shown(rows), "took_ms": watch.ms})


def _matrix(rows: Mapping[str, Row], experts: Sequence[str]) -> Matrix:
    """Likelihoods [k, k]; the row of an expert that does not judge is NaN."""
    unheard = (None,) * len(experts)
    cells = [rows[expert].nll if expert in rows else unheard for expert in experts]
    return np.array([[np.nan if cell is None else cell for cell in row] for row in cells], dtype=np.float64)


def _shown(rows: Mapping[str, Row]) -> dict[str, tuple[float | None, ...]]:
    return {judge: tuple(None if cell is None else round(cell, 6) for cell in row.nll) for judge, row in rows.items()}


def _too_few(judges: Sequence[str]) -> str:
    return f"{'only ' + repr(judges[0]) if judges else 'none'} of the experts that drafted could score"


def _gaps(rows: Mapping[str, Row]) -> str:
    """Who did not judge, and why; empty where all did."""
    return "; ".join(f"{judge!r} does not judge: {row.gap}" for judge, row in rows.items() if not row.whole)
