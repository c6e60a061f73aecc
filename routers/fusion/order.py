"""In which order experts are worth asking: the best one first, then whoever adds most to those before. Knows scores.

What an expert adds is measured on the posterior of naive Bayes, whose weights are log odds (`reliability`): an answer a
with the summed weights S(a) has the odds exp S(a), each of the K options that nobody chose has the odds 1, and p(a) is
its part of the total. The measure is Brier's, the mean of 2 p(right) - sum of p^2. It tells experts apart where the
share of won votes does not yet, since a second draft never outvotes a first one that weighs more; and it is proper, so
that being sure twice because two experts copy each other does not count as knowing more.
"""

from __future__ import annotations

import numpy as np

from routers.fusion.votes import Ballots, Ints, Reals

__all__ = ["greedy_order"]


def greedy_order(ballots: Ballots, scores: Reals, weights: Reals, options: Reals) -> list[int]:
    """The positions of all experts, those first that are to be asked first.

    scores: [n, k]. weights: log odds, [n, k]. options: K of each query, [n]. Of equal experts the first stands first.
    """
    left = list(range(ballots.codes.shape[1]))
    chosen = [int(scores.mean(axis=0).argmax())]
    left.remove(chosen[0])
    solvable = np.flatnonzero(scores.max(axis=1) >= 0.5)  # noqa: PLR2004 - nearer to right than to wrong
    board = _Board(ballots.rows(solvable), scores[solvable], weights[solvable], options[solvable])
    board.add(chosen[0])
    while left:
        best = max(left, key=lambda expert: (board.with_one_more(expert), -expert))
        board.add(best)
        chosen.append(best)
        left.remove(best)
    return chosen


class _Board:
    """The odds of every answer so far, on queries that some expert got right."""

    def __init__(self, ballots: Ballots, scores: Reals, weights: Reals, options: Reals) -> None:
        self._rows = np.arange(len(ballots))
        self._codes, self._answered = np.maximum(ballots.codes, 0), ballots.answered
        self._right = self._codes[self._rows, scores.argmax(axis=1)]
        self._weights = weights
        self._odds = np.ones((len(ballots), int(self._codes.max(initial=0)) + 1))
        self._total, self._squares = options, options

    def with_one_more(self, expert: int) -> float:
        """What is measured if this expert is asked too, summed over queries."""
        code, odds, total, squares = self._asked(expert)
        right = np.where(code == self._right, odds, self._odds[self._rows, self._right])
        return float((2.0 * right / total - squares / total**2).sum())

    def add(self, expert: int) -> None:
        """Ask this expert."""
        code, odds, self._total, self._squares = self._asked(expert)
        self._odds[self._rows, code] = odds

    def _asked(self, expert: int) -> tuple[Ints, Reals, Reals, Reals]:
        """Its answer and the odds of that now; the sum of all odds, and that of their squares; each [n]."""
        code = self._codes[:, expert]
        before = self._odds[self._rows, code]
        odds = np.where(self._answered[:, expert], before * np.exp(self._weights[:, expert]), before)
        return code, odds, self._total + odds - before, self._squares + odds**2 - before**2
