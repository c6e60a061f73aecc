"""Per category: one expert, or a vote of several. Knows what was learned, not how (`learn`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from routers.fusion.votes import Ballots, Decided, Reals, decide
from routers.mapping.learned import LearnedMapping

__all__ = ["FusionPolicy", "Vote"]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """A weighted vote.

    experts: by position, in the order in which they are asked. weights: of each in each category, [c + 1, experts]; the
    last row is for any other category.
    """

    experts: tuple[int, ...]
    weights: Reals


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FusionPolicy:
    """A plan a category.

    experts, categories: their names, by position. votes: by the name of their column in the mapping. most: drafts of a
    query.
    """

    experts: tuple[str, ...]
    categories: tuple[str, ...]
    mapping: LearnedMapping
    votes: Mapping[str, Vote]
    most: int

    def column(self, category: str) -> str:
        """The mapping's column for a category: an expert, or the name of a vote."""
        columns = self.mapping.columns_at(len(self.mapping.frontier))
        return columns.get(category, self.mapping.fallback.experts[0])

    def vote(self, category: str) -> tuple[tuple[int, ...], Reals]:
        """Who is asked in a category, in order, and what each one's vote weighs.

        One expert alone is such a vote too: it outweighs all others together, who are asked where it gave no answer.
        """
        vote = self.votes.get(self.column(category))
        if vote is not None:
            known = category in self.categories
            return vote.experts, vote.weights[self.categories.index(category) if known else -1]
        ranked = self.mapping.plan(category).experts[: self.most]
        return tuple(self.experts.index(expert) for expert in ranked), 2.0 ** -np.arange(len(ranked), dtype=np.float64)

    def decide(self, ballots: Ballots, categories: Sequence[str]) -> Decided:
        """The answers to queries of these categories [n]; the ballots have all experts, by position.

        Where nobody gave an answer, what the first expert said is relayed.
        """
        winner, asked = np.zeros(len(ballots), dtype=np.intp), np.zeros(ballots.codes.shape, dtype=np.bool_)
        names = np.array(categories, dtype=np.str_)
        for category in dict.fromkeys(categories):
            rows = np.flatnonzero(names == category)
            experts, weights = self.vote(category)
            found = decide(ballots.rows(rows), weights, experts)
            winner[rows], asked[rows] = np.where(found.winner >= 0, found.winner, experts[0]), found.asked
        return Decided(winner, asked)
