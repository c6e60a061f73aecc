"""Stage 4: which drafts agree? Scores each draft by its distance from the others and keeps the nearest.

A measure says how far drafts are from each other (`orchestrator.stages.agreement`); what is kept of them is decided
here, for all measures alike. Or, where a plan was learned from recorded answers, the drafts' short answers vote
(`elected`), by the functions that replayed the records (`routers.fusion`), and those who gave the winning answer stay.

Source: Speculative Verdict (arXiv 2510.20812; PAPERS.md 1.3): s(y_i) = sum over j != i of d_j(y_i), lower is nearer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.config.fusion import Rule
from orchestrator.decision import Consensus
from orchestrator.stages.agreement.measure import Agreed, Matrix
from orchestrator.trace import Stopwatch
from orchestrator.types import Draft
from routers.fusion import ballots_of, speakers, support
from routers.fusion.extraction import short_answer
from routers.fusion.kept import default_keep

__all__ = ["elected", "is_unanimous", "kept_of", "nearest", "peer_scores", "shares", "with_text"]

TIE = 1e-12
"""Scores this close at the cut are equal; which of them stays is drawn by the seed (as in the paper's code)."""


def with_text(drafts: Sequence[Draft]) -> list[Draft]:
    """Those that say something: the others cannot be compared."""
    return [draft for draft in drafts if draft.text.strip()]


def is_unanimous(drafts: Sequence[Draft]) -> bool:
    """Whether several drafts are the same but for case and blanks."""
    return len(drafts) > 1 and len({" ".join(draft.text.split()).casefold() for draft in drafts}) == 1


def peer_scores(distance: Matrix, weights: Sequence[float] | None = None) -> list[float]:
    """s(y_i) of each draft from distances [k, k], row judge on column draft, by judges of these weights (default: 1).

    (k - 1) times the weighted mean over the judges but oneself; with equal weights and all of them judging that is the
    paper's sum. A row with a NaN is no judge, whichever draft it is that it could not judge: half a row would favour
    the drafts that it does not reach. A draft that only its own expert judges scores 0.
    """
    total, peers = _over_peers(np.nan_to_num(distance), _judging(distance, weights))
    scores = (len(distance) - 1) * np.divide(total, peers, out=np.zeros(len(distance)), where=peers > 0)
    return [float(score) for score in scores]


def shares(agreement: Matrix, weights: Sequence[float] | None = None) -> list[float]:
    """How far the others agree with each draft, in [0, 1].

    A draft that only its own expert judges (one reference judge) has how far that expert agrees with the others, as
    pairs are alike whoever looks; 0 where nobody judges at all.
    """
    judging, known = _judging(agreement, weights), np.nan_to_num(agreement)
    total, peers = _over_peers(known, judging)
    found = np.divide(total, peers, out=np.zeros(len(agreement)), where=peers > 0)
    for at in np.flatnonzero((peers <= 0) & (judging > 0)):
        others = np.delete(known[at], at)
        found[at] = others.mean() if others.size else 0.0
    return [float(share) for share in found]


def nearest(scores: Sequence[float], keep: int, *, seed: int = 42) -> list[int]:
    """Positions of the `keep` lowest scores, in ascending order of position; ties at the cut are drawn by `seed`."""
    if keep >= len(scores):
        return list(range(len(scores)))
    cut = sorted(scores)[keep - 1]
    sure = [i for i, score in enumerate(scores) if score < cut - TIE]
    tied = [i for i, score in enumerate(scores) if abs(score - cut) <= TIE]
    drawn = random.Random(seed).sample(tied, keep - len(sure))  # noqa: S311 - a reproducible tie, not a secret
    return sorted([*sure, *drawn])


def kept_of(
    drafts: Sequence[Draft], agreed: Agreed, rule: Rule, *, reliability: Mapping[str, float] | None = None
) -> Consensus:
    """The consensus of drafts that all have text, by a plan's rule.

    reliability: by expert, what its judgement weighs; who is not in it weighs as their mean.
    """
    watch = Stopwatch()
    experts = [draft.expert for draft in drafts]
    weights = _weights(experts, reliability or {})
    scores, agreeing = peer_scores(agreed.distance, weights), shares(agreed.agreement, weights)
    unanimous = len(drafts) > 1 and (is_unanimous(drafts) or (agreed.same is not None and bool(agreed.same.all())))
    kept = [experts[i] for i in _kept(scores, agreeing, rule, all_the_same=unanimous)]
    best = min(range(len(scores)), key=scores.__getitem__)
    pairs = tuple(tuple(round(float(cell), 6) for cell in row) for row in agreed.agreement)
    return Consensus(
        measure=agreed.measure,
        reason=agreed.reason,
        experts=tuple(experts),
        agreement=pairs if agreed.shown else (),
        answers=dict(agreed.answers),
        nll=dict(agreed.nll),
        judges=tuple(e for e, row in zip(experts, agreed.distance, strict=True) if not np.isnan(row).any())
        if agreed.nll and not agreed.shown
        else (),
        weights=dict(zip(experts, weights, strict=True)) if reliability else {},
        scores={expert: round(score, 6) for expert, score in zip(experts, scores, strict=True)},
        strength=1.0 if unanimous else round(agreeing[best], 6),
        kept=tuple(kept),
        dissent=tuple(expert for expert in experts if expert not in kept),
        unanimous=unanimous,
        took_ms=watch.ms,
    )


def elected(drafts: Sequence[Draft], weights: Mapping[str, float]) -> Consensus:
    """The vote of the drafts' short answers; kept are those who gave the answer that won, who speaks for it first.

    weights: of each vote, by expert, in the order in which they were learned: of equals the first wins. Where nobody
    gave a short answer, the first one with a text speaks for itself.
    """
    watch = Stopwatch()
    voting = sorted(with_text(drafts), key=lambda draft: list(weights).index(draft.expert))
    experts = [draft.expert for draft in voting]
    each = np.array([weights[expert] for expert in experts])
    answers = [short_answer(draft.text) for draft in voting]
    ballots = ballots_of([answers])
    same, supports = ballots.same[0], support(ballots, each)[0]
    np.fill_diagonal(same, val=True)
    kept: list[int] = []
    if voting:
        winner = int(speakers(ballots, each)[0])
        kept = [winner, *(at for at in np.flatnonzero(same[winner]).tolist() if at != winner)]
    heard = {experts[at] for at in kept}
    distance = 1.0 - same.astype(np.float64)
    unanimous = len(voting) > 1 and bool(same.all())
    return Consensus(
        measure="answer",
        experts=tuple(experts),
        agreement=tuple(tuple(map(float, row)) for row in same),
        answers=dict(zip(experts, answers, strict=True)),
        scores=dict(zip(experts, peer_scores(distance) if voting else (), strict=True)),
        support={expert: round(float(s), 6) for expert, s in zip(experts, supports, strict=True) if np.isfinite(s)},
        strength=round(shares(1.0 - distance)[kept[0]], 6) if kept else 0.0,
        kept=tuple(experts[at] for at in kept),
        dissent=tuple(draft.expert for draft in drafts if draft.expert not in heard),
        unanimous=unanimous,
        took_ms=watch.ms,
    )


def _judging(table: Matrix, weights: Sequence[float] | None) -> Matrix:
    """What each row weighs: nothing where it has a gap."""
    each = np.ones(len(table)) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.where(np.isnan(table).any(axis=1), 0.0, each)


def _over_peers(table: Matrix, each: Matrix) -> tuple[Matrix, Matrix]:
    """Of each column the weighted sum over the other rows, and what those weigh."""
    return each @ table - each * np.diagonal(table), each.sum() - each


def _weights(experts: Sequence[str], reliability: Mapping[str, float]) -> list[float]:
    known = [reliability[expert] for expert in experts if expert in reliability]
    usual = sum(known) / len(known) if known else 1.0
    return [reliability.get(expert, usual) for expert in experts]


def _kept(scores: Sequence[float], agreeing: Sequence[float], rule: Rule, *, all_the_same: bool) -> list[int]:
    """Positions, ascending; at least the nearest."""
    if all_the_same:
        return list(range(len(scores)))
    if rule.threshold is None:
        return nearest(scores, min(len(scores), rule.keep or default_keep(len(scores))))
    near = {at for at, share in enumerate(agreeing) if share >= rule.threshold - TIE}
    return sorted(near) or nearest(scores, 1)
