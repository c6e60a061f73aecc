"""Weights of votes without labels: from how often the others confirm what an expert says. Knows answers, no scores.

After committees that are weighed at test time by the stability of their predictions over two views (SADE; PAPERS.md
3.8). The views here are the others: an answer is stable where the vote of all the others gives it too. Being stable is
not being right, as experts that err alike confirm each other: so weights stay near to equal ones (`capped`), and
learning offers such a vote only where held-out labels show that it helped (`helped`).
"""

from __future__ import annotations

import numpy as np

from routers.fusion.reliability import accuracies, log_odds
from routers.fusion.votes import Ballots, Ints, Reals

__all__ = ["LEAST", "MOST", "capped", "confirmed", "helped", "stable_weights"]

LEAST, MOST = 0.5, 2.0
"""Times the median: no weight is below or above."""
Z95 = 1.959963984540054
FEWEST_CHANGES = 10
"""Queries on which two votes differ in score; of fewer the interval below says nothing."""


def confirmed(ballots: Ballots) -> Reals:
    """Whether the equal vote of the others gives an expert's answer, [n, k]: 1, a share where they are tied, or 0.

    0 too where it gave no answer, or nobody else gave one.
    """
    same = ballots.same.astype(np.float64)
    k = same.shape[1]
    alone = np.eye(k, dtype=np.bool_)
    # behind[n, e, f]: how many but e gave the answer of f
    behind = np.where(alone | ~ballots.answered[:, None, :], 0.0, same.sum(axis=2)[:, None, :] - same)
    most = behind.max(axis=2, initial=0.0)
    leading = (behind == most[:, :, None]) & (behind > 0)
    answers = np.divide(leading, behind, out=np.zeros_like(behind), where=behind > 0).sum(axis=2)
    own = same.sum(axis=2) - ballots.answered
    share: Reals = np.divide(1.0, answers, out=np.zeros(own.shape), where=(answers > 0) & (own == most))
    return share


def capped(weights: Reals) -> Reals:
    """Of each row, in units of its median, no weight below `LEAST` or above `MOST`; all 1 where the median is not > 0.

    weights: [..., k].
    """
    middle = np.median(weights, axis=-1, keepdims=True)
    usable = middle > 0
    relative = np.divide(weights, middle, out=np.ones(np.shape(weights)), where=np.broadcast_to(usable, weights.shape))
    limited: Reals = np.clip(relative, LEAST, MOST)
    return limited


def stable_weights(ballots: Ballots, group: Ints, options: Reals, *, count: int) -> Reals:
    """Of each expert in each category, [count + 1, k]; the last row is for any other category.

    As log odds of right answers (`reliability`), with confirmed answers in their place. group: the category of each
    query, 0 to count - 1, [n]. options: among how many a category's queries are decided, [count + 1].
    """
    stable = accuracies(confirmed(ballots), group, count=count)
    return capped(log_odds(stable, options[:, None]))


def helped(scores: Reals, otherwise: Reals) -> bool:
    """Whether held-out scores [n] are better than those of another vote of the same experts, beyond chance.

    By the normal interval of the paired mean, 95 %.
    """
    gain = scores - otherwise
    if int((gain != 0).sum()) < FEWEST_CHANGES:
        return False
    return float(gain.mean()) - Z95 * float(gain.std(ddof=1)) / float(np.sqrt(len(gain))) > 0
