"""Agreement by likelihood: drafts are near to each other where the experts find them as likely as their own.

Source: Speculative Verdict (arXiv 2510.20812; PAPERS.md 1.3), with the tokens of the answer alone or, as its released
code has it, with those of the question too:
d_j(y_i) = |NLL_j(y_i) - NLL_j(y_j)|, NLL_j the mean negative log-likelihood per token under expert j. As a share it is
exp(-d): the ratio of the two likelihoods per token.

Gaps. An expert that cannot score does not judge, and its draft is judged by the others all the same. A judge with a
gap in its row is left out altogether (`peer_scores`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.config.fusion import Rule
from orchestrator.stages.agreement.measure import Agreed, Matrix, NotMeasured
from orchestrator.stages.agreement.scoring import Judging, Row
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft

__all__ = ["ByLikelihood", "distances"]

FEWEST_JUDGES = 2
"""With one judge, its own draft would have nobody to judge it."""


def distances(nll: Matrix) -> Matrix:
    """d_j(y_i) [k, k] from likelihoods [k, k], row judge on column draft, in the same order of experts."""
    found: Matrix = np.abs(nll - np.diag(nll)[:, None])
    return found


class ByLikelihood:
    """Asks those who drafted and can score; or, where the rule names a judge, that one alone, if it drafted too.

    With one judge its own draft scores 0 and the others by how far they are from it (the paper's `--running_model`).
    """

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    async def agreed(self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, rule: Rule) -> Agreed:
        """See `Measure`."""
        experts = [draft.expert for draft in drafts]
        able = [expert for expert in experts if rule.judge in {None, expert} and self._judging.can(expert, rule.tokens)]
        fewest = FEWEST_JUDGES if rule.judge is None else 1
        if len(able) < fewest:
            raise NotMeasured(_too_few(able, rule.judge))
        rows = await self._judging.rows(able, [draft.text for draft in drafts], request, trace, tokens=rule.tokens)
        judges = [judge for judge, row in rows.items() if row.whole]
        if len(judges) < fewest:
            raise NotMeasured(f"{_too_few(judges, rule.judge)} ({_gaps(rows)})", nll=_shown(rows))
        distance = distances(_matrix(rows, experts))
        return Agreed(
            measure="likelihood",
            distance=distance,
            agreement=np.exp(-distance),
            nll=_shown(rows),
            reason=_gaps(rows),
            shown=False,
        )


def _matrix(rows: Mapping[str, Row], experts: Sequence[str]) -> Matrix:
    """Likelihoods [k, k]; the row of an expert that does not judge is NaN."""
    unheard = (None,) * len(experts)
    cells = [rows[expert].nll if expert in rows else unheard for expert in experts]
    return np.array([[np.nan if cell is None else cell for cell in row] for row in cells], dtype=np.float64)


def _shown(rows: Mapping[str, Row]) -> dict[str, tuple[float | None, ...]]:
    return {judge: tuple(None if cell is None else round(cell, 6) for cell in row.nll) for judge, row in rows.items()}


def _too_few(judges: Sequence[str], judge: str | None) -> str:
    if judge is not None:
        return f"the judge {judge!r} did not draft, or could not score"
    return f"{'only ' + repr(judges[0]) if judges else 'none'} of the experts that drafted could score"


def _gaps(rows: Mapping[str, Row]) -> str:
    """Who did not judge, and why; empty where all did."""
    return "; ".join(f"{judge!r} does not judge: {row.gap}" for judge, row in rows.items() if not row.whole)
