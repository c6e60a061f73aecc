"""Which of several drafts to believe: consensus by likelihood, and votes over extracted answers.

Selecting by the scores, ties included, and scores from a matrix of agreements are the service's own functions
(`orchestrator.stages.consensus`: `nearest`, `disagreement`); this module has what only the judge can compute.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from eval.metrics.arrays import Reals
from routers.fusion.reliability import log_odds

__all__ = ["likelihood_scores", "majority_vote", "reliability_weight", "smoothed", "weighted_vote"]

TIE = 1e-12
"""Sums of weights this close are equal: the order of the votes must not decide."""


def likelihood_scores(nll: Reals, *, missing: Literal["require", "average"] = "require") -> Reals:
    """Speculative Verdict's consensus score of each draft, [k], lower means more peer agreement (arXiv 2510.20812).

    s(y_i) = sum over j != i of |NLL_j(y_i) - NLL_j(y_j)|. nll: [k, k], row judge j on column draft i, mean negative
    log-likelihood a token in one token mode; NaN (or infinite) where it could not be measured.

    A pair is missing where the judge's value of that draft or of its own is. The published code leaves such pairs out
    of the sum, which flatters the draft they concern. Here `require` gives a draft with a missing pair, and an author
    that cannot judge, the score infinity; `average` scales the mean of the pairs that are there to k - 1 pairs, and
    gives infinity to a draft without any.
    """
    k = len(nll)
    if nll.shape != (k, k):
        message = f"likelihoods of shape {nll.shape} are no square of judges by drafts"
        raise ValueError(message)
    own = np.diag(nll)
    with np.errstate(invalid="ignore"):
        distance = np.abs(nll - own[:, None])
    there = np.isfinite(distance)
    judged_itself = np.diag(there).copy()
    np.fill_diagonal(there, val=False)
    pairs = there.sum(axis=0)
    sums = np.where(there, distance, 0.0).sum(axis=0)
    if missing == "require":
        return np.where((pairs == k - 1) & judged_itself, sums, math.inf)
    scaled: Reals = np.divide(sums * (k - 1), pairs, out=np.full(k, math.inf), where=pairs > 0)
    return scaled if k > 1 else sums


def majority_vote(answers: Sequence[str | None], *, seed: int | str) -> str | None:
    """The answer that most drafts give; None is no vote, and the result where nobody votes.

    Ties are drawn by `seed` (a run's seed and the query's id, say), whatever the order of the drafts.
    """
    return _most(((answer, 1.0) for answer in answers), seed=seed)


def weighted_vote(answers: Sequence[str | None], weights: Sequence[float], *, seed: int | str) -> str | None:
    """The answer with the largest sum of its drafts' weights, [k] each; ties and None as in `majority_vote`.

    With `reliability_weight` this is the most probable answer, if experts err independently and evenly.
    """
    return _most(zip(answers, weights, strict=True), seed=seed)


def reliability_weight(accuracy: float, *, options: int) -> float:
    """log(a (K - 1) / (1 - a)) of an expert with accuracy a among K options; 0 for one that guesses, below it less.

    The log-likelihood ratio of a vote for the right against one for a wrong option (Nitzan and Paroush 1982 for two).
    Raises ValueError for an accuracy of 0 or 1, which no data can show (see `smoothed`), or under two options.
    """
    if not 0 < accuracy < 1 or options < 2:  # noqa: PLR2004 - a choice is between two
        message = f"no weight for accuracy {accuracy} among {options} options"
        raise ValueError(message)
    return float(log_odds(np.float64(accuracy), options))


def smoothed(hits: float, n: int, *, prior: float = 0.5, strength: float = 2.0) -> float:
    """(hits + prior * strength) / (n + strength): an accuracy within 0 and 1 however few rows; Laplace by default."""
    return (hits + prior * strength) / (n + strength)


def _most(votes: Iterable[tuple[str | None, float]], *, seed: int | str) -> str | None:
    by_answer: defaultdict[str, list[float]] = defaultdict(list)
    for answer, weight in votes:
        if answer is not None:
            by_answer[answer].append(weight)
    if not by_answer:
        return None
    sums = {answer: math.fsum(weights) for answer, weights in by_answer.items()}
    most = max(sums.values())
    tied = sorted(answer for answer, weight in sums.items() if most - weight <= TIE)
    return tied[0] if len(tied) == 1 else random.Random(seed).choice(tied)  # noqa: S311 - a reproducible tie
