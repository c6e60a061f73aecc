"""Weights of votes from how often each expert was right in each category. Knows scores, no names.

log(a (K - 1) / (1 - a)) for an expert that is right with probability a among K options is the log-likelihood ratio of
its vote, if experts err independently and evenly (Nitzan and Paroush 1982 for two options).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from routers.fusion.votes import Ballots, Ints, Reals

__all__ = ["accuracies", "effective_options", "log_odds"]

STRENGTH = 20.0
"""As how many queries an expert's overall accuracy counts in a category's."""
MOST_OPTIONS = 1000.0


def accuracies(scores: Reals, group: Ints, *, count: int) -> Reals:
    """Of each expert in each category, within 0 and 1, [count + 1, k]; the last row is for any other category.

    scores: 0 to 1, [n, k]. group: the category of each query, 0 to count - 1, [n].
    """
    overall = (scores.sum(axis=0) + 1.0) / (len(scores) + 2.0)
    sums = np.zeros((count + 1, scores.shape[1]))
    np.add.at(sums, group, scores)
    sizes = np.bincount(group, minlength=count + 1)[:, None]
    accuracy: Reals = (sums + STRENGTH * overall) / (sizes + STRENGTH)
    return accuracy


def log_odds(accuracy: Reals | np.float64, options: npt.ArrayLike) -> Reals:
    """The weight of a vote, 0 for an expert that guesses among so many options, less than that below."""
    weights: Reals = np.log(accuracy * (np.asarray(options, dtype=np.float64) - 1.0) / (1.0 - accuracy))
    return weights


def effective_options(ballots: Ballots, scores: Reals) -> float:
    """Among how many options queries without a list of them seem to be decided, 2 to 1,000.

    One more than how often two wrong answers differ for each time that they are the same: where wrong experts always
    say the same there are two options, where they never agree there are many.
    """
    wrong = ballots.answered & (scores < 0.5)  # noqa: PLR2004 - a score nearer to wrong than to right
    both = wrong[:, :, None] & wrong[:, None, :]
    pairs = int(both.sum()) - int(wrong.sum())
    alike = int((both & ballots.same).sum()) - int(wrong.sum())
    if not pairs:
        return 2.0
    return float(np.clip(1.0 + pairs / max(alike, 1), 2.0, MOST_OPTIONS))
