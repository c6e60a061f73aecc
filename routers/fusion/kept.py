"""Which drafts a consensus keeps: those that agree with most of the others. Knows answers, not who is reliable.

The form of Speculative Verdict (arXiv 2510.20812) for experts that cannot score likelihoods, with answers that are the
same or not: s(y_i) = sum over j != i of (1 - agree_j(y_i)) counts the drafts that gave another answer than draft i.
"""

from __future__ import annotations

import math

import numpy as np

from routers.fusion.votes import Ballots, Flags, Ints, Reals

__all__ = ["default_keep", "nearest_kept", "some_kept", "unanimous"]


def default_keep(drafts: int) -> int:
    """Three fifths, rounded up: the paper keeps 3 of 5."""
    return math.ceil(drafts * 3 / 5)


def nearest_kept(ballots: Ballots, keep: Ints, draws: Reals) -> Flags:
    """The `keep` drafts [n] of each query with the fewest others against them, [n, k]; of equals the larger draws.

    Drafts without an answer are never kept; where all answers are the same, all of them are. draws: [n, k].
    """
    answered = ballots.answered
    against = answered.sum(axis=1, keepdims=True) - ballots.same.sum(axis=2)
    return _first(np.where(answered, against, np.inf), ballots, keep, draws)


def some_kept(ballots: Ballots, keep: Ints, draws: Reals) -> Flags:
    """As many drafts, [n, k], by their draws alone: the placebo."""
    return _first(np.where(ballots.answered, 0.0, np.inf), ballots, keep, draws)


def unanimous(ballots: Ballots) -> Flags:
    """Whether all who answered gave the same answer, [n]."""
    answered = ballots.answered
    highest = np.where(answered, ballots.codes, -1).max(axis=1, initial=-1)
    same: Flags = (~answered | (ballots.codes == highest[:, None])).all(axis=1)
    return same


def _first(scores: Reals, ballots: Ballots, keep: Ints, draws: Reals) -> Flags:
    order = np.lexsort((-draws, scores), axis=1)
    place = np.argsort(order, axis=1, kind="stable")
    kept: Flags = ((place < keep[:, None]) | unanimous(ballots)[:, None]) & ballots.answered
    return kept
