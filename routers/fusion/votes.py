"""Which answer wins a weighted vote, and after how many drafts that is certain.

A vote adds: the support of an answer is the sum of the weights of the experts that gave it. One expert alone is such a
vote, and so are the majority (all weights 1), weights by reliability, and fitted ones. Knows answers and numbers, not
who the experts are nor how the weights were learned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = [
    "Ballots",
    "Decided",
    "Flags",
    "Ints",
    "Reals",
    "ballots_of",
    "calls",
    "decide",
    "speakers",
    "support",
    "winners",
]

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

TIE = 1e-9
"""Supports this close are equal: the order in which weights were added must not decide."""


@dataclass(frozen=True, slots=True, eq=False)
class Ballots:
    """What k experts answered to n queries.

    codes: [n, k], within a query the same number for the same answer, -1 for none. draws: [n, k] in 0 to 1, the same
    for the same answer: of answers with equal support the one with the largest draw wins. Without draws (all 0) it is
    the one whose heaviest voter weighs most, then the one that stands first.
    """

    codes: Ints
    draws: Reals

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def answered(self) -> Flags:
        """Who gave an answer, [n, k]."""
        return self.codes >= 0

    @property
    def same(self) -> Flags:
        """Whether two experts gave the same answer, [n, k, k]; no answer is like no other."""
        equal: Flags = (self.codes[:, :, None] == self.codes[:, None, :]) & self.answered[:, :, None]
        return equal

    def rows(self, rows: Ints | Flags) -> Ballots:
        """Of some queries."""
        return Ballots(self.codes[rows], self.draws[rows])

    def experts(self, columns: Sequence[int]) -> Ballots:
        """Of some experts, in that order."""
        chosen = list(columns)
        return Ballots(self.codes[:, chosen], self.draws[:, chosen])

    @property
    def undrawn(self) -> Ballots:
        """Without draws: as a service votes, which has nothing to draw from that a record of it has too."""
        return replace(self, draws=np.zeros_like(self.draws))

    def only(self, kept: Flags) -> Ballots:
        """The others' answers, [n, k], taken away."""
        return replace(self, codes=np.where(kept, self.codes, -1))


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Whose answer it is, by position [n], -1 for nobody's; and who was asked for it, [n, k]."""

    winner: Ints
    asked: Flags


def ballots_of(answers: Sequence[Sequence[str | None]], keys: Sequence[str] | None = None) -> Ballots:
    """Of answers as texts, one row a query; texts that are equal are the same answer.

    keys: one a query, from which ties are drawn (a seed with the query's id, say), whatever the order of the experts.
    """
    codes = np.full((len(answers), len(answers[0]) if answers else 0), -1, dtype=np.intp)
    draws = np.zeros(codes.shape, dtype=np.float64)
    for row, given in enumerate(answers):
        known = {answer: code for code, answer in enumerate(sorted({text for text in given if text is not None}))}
        drawn = {answer: _draw(keys[row], answer) for answer in known} if len(known) > 1 and keys is not None else {}
        for column, answer in enumerate(given):
            if answer is not None:
                codes[row, column] = known[answer]
                draws[row, column] = drawn.get(answer, 0.0)
    return Ballots(codes, draws)


def support(ballots: Ballots, weights: Reals) -> Reals:
    """The summed weights behind each expert's answer, [n, k]; -inf where it gave none. weights: [k] or [n, k]."""
    summed = _support(ballots.same, _a_query(ballots, weights))
    return np.where(ballots.answered, summed, -np.inf)


def winners(ballots: Ballots, weights: Reals) -> Ints:
    """Whose answer wins, [n]: of those who gave it the expert that weighs most, the first of equals; -1 for nobody."""
    each = _a_query(ballots, weights)
    supports = support(ballots, weights)
    answered = ballots.answered
    most = supports.max(axis=1, initial=-np.inf, keepdims=True)
    tied = answered & (supports >= most - TIE)
    drawn = np.where(tied, ballots.draws, -1.0)
    chosen = tied & (drawn == drawn.max(axis=1, initial=-1.0, keepdims=True))
    if not ballots.codes.shape[1]:
        return np.full(len(ballots), -1, dtype=np.intp)
    speaker: Ints = np.where(chosen, each, -np.inf).argmax(axis=1)
    return np.where(answered.any(axis=1), speaker, -1)


def speakers(ballots: Ballots, weights: Reals) -> Ints:
    """Whose draft is the answer, [n]: as `winners`; where nobody gave an answer, what the first one said."""
    return np.maximum(winners(ballots, weights), 0)


def calls(ballots: Ballots, weights: Reals) -> Ints:
    """How many experts have to be asked, in their order, until no answer of the others could change the winner, [n]."""
    each = _a_query(ballots, weights)
    n, k = ballots.codes.shape
    needed = np.full(n, k, dtype=np.intp)
    open_rows = np.arange(n)
    for asked in range(1, k):
        decided = _decided(ballots.rows(open_rows), each[open_rows], asked)
        needed[open_rows[decided]] = asked
        open_rows = open_rows[~decided]
        if not len(open_rows):
            break
    return needed


def decide(ballots: Ballots, weights: Reals, experts: Sequence[int]) -> Decided:
    """By the vote of these experts, asked in this order as long as it matters; weights: theirs, [m] or [n, m]."""
    chosen = ballots.experts(experts)
    speaker = winners(chosen, weights)
    position = np.append(np.array(experts, dtype=np.intp), -1)
    asked = np.zeros(ballots.codes.shape, dtype=np.bool_)
    asked[:, list(experts)] = np.arange(len(experts)) < calls(chosen, weights)[:, None]
    return Decided(position[speaker], asked)


def _decided(ballots: Ballots, weights: Reals, asked: int) -> Flags:
    """Whether the leader after `asked` drafts wins even if all others vote against it, [n].

    An answer that nobody gave so far starts from no support.
    """
    seen, rest = weights[:, :asked], weights[:, asked:]
    early = ballots.experts(range(asked))
    supports = support(early, seen)
    leader = supports.argmax(axis=1)
    rows = np.arange(len(ballots))
    against = np.where(early.same[rows, leader], -np.inf, supports).max(axis=1)
    least = supports[rows, leader] + np.minimum(rest, 0.0).sum(axis=1)
    most = np.maximum(against, 0.0) + np.maximum(rest, 0.0).sum(axis=1)
    decided: Flags = least > most + TIE
    return decided


def _support(same: Flags, weights: Reals) -> Reals:
    summed: Reals = np.einsum("nef,nf->ne", same, weights)
    return summed


def _a_query(ballots: Ballots, weights: Reals) -> Reals:
    return np.broadcast_to(np.asarray(weights, dtype=np.float64), ballots.codes.shape)


def _draw(key: str, answer: str) -> float:
    digest = hashlib.sha256(f"{key}\0{answer}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)
