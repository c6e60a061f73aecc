"""Per category one expert or a vote: a learned mapping applied to what the experts said. Learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from routers.fusion.votes import Ballots, Decided, Reals, decide
from routers.mapping.learned import LearnedMapping

__all__ = ["FusionPolicy"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FusionPolicy:
    """A plan a category. experts: their names, by position in ballots."""

    experts: tuple[str, ...]
    mapping: LearnedMapping

    def vote(self, category: str) -> tuple[tuple[int, ...], Reals]:
        """Who is asked in a category, in order, and what each one's vote weighs; one expert alone votes too."""
        plan = self.mapping.plan(category)
        asked = plan.experts if plan.weights else plan.experts[:1]
        return tuple(self.experts.index(expert) for expert in asked), np.array(plan.weights or (1.0,))

    def decide(self, ballots: Ballots, categories: Sequence[str]) -> Decided:
        """The answers to queries of these categories [n]; the ballots have all experts, by position.

        Where nobody gave an answer, what the first expert said is relayed.
        """
        winner, asked = np.zeros(len(ballots), dtype=np.intp), np.zeros(ballots.codes.shape, dtype=np.bool_)
        names = np.array(categories, dtype=np.str_)
        for category in dict.fromkeys(categories):
            rows = np.flatnonzero(names == category)
            experts, weights = self.vote(category)
            found = decide(ballots.rows(rows).undrawn, weights, experts)
            winner[rows], asked[rows] = np.where(found.winner >= 0, found.winner, experts[0]), found.asked
        return Decided(winner, asked)
