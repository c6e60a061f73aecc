"""Recorded drafts -> who is fused, in which categories, with which weights. Knows scores and answers.

The candidates are votes of the first 3, 4, ... experts in the order in which they are worth asking (`order`), weighted
by log odds or by fitted weights. Each is scored on queries that were held out when it was learned, its order and
weights included. What a category gets is the mapping's decision (`routers.mapping`), by the paired gain of each vote on
the best single expert of every category, and it has to be proven that fusing does no harm:

- votes whose gain over all queries has a lower bound above zero are taken wherever the gain that is to be expected in
  the category, drawn towards the others, is above zero: what helps everywhere needs no second proof in each small part;
- where no vote is proven so, a category is fused only where the lower bound of its own gain is above zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from routers.errors import TrainingError
from routers.fusion.fitted import fitted_weights
from routers.fusion.order import greedy_order
from routers.fusion.policy import FusionPolicy, Vote
from routers.fusion.reliability import accuracies, log_odds
from routers.fusion.votes import Ballots, Flags, Ints, Reals, winners
from routers.mapping.learn import FuseColumn, LearnedMapping, learn_mapping

__all__ = ["Lesson", "learn_policy", "learn_votes", "order_of", "scores_of"]

FEWEST = 3
"""Of two drafts the heavier one wins, whatever the other says."""
CONFIDENCE = 0.95
"""Of the lower bound of a vote's gain, one-sided."""
EVEN_ODDS = 0.5
"""At this confidence the lower bound is the expected gain."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lesson:
    """Answers and scores of k experts on n queries, without a gap.

    scores: 0 to 1, [n, k]. group: the category of each query, its position in `categories`, [n]. options: among how
    many each query is decided, 2 or more, [n].
    """

    ballots: Ballots
    scores: Reals
    group: Ints
    options: Reals
    categories: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, rows: Ints | Flags) -> Lesson:
        """Of some queries; the categories stay."""
        return Lesson(
            ballots=self.ballots.rows(rows),
            scores=self.scores[rows],
            group=self.group[rows],
            options=self.options[rows],
            categories=self.categories,
        )


def order_of(lesson: Lesson) -> list[int]:
    """All experts, those most worth asking first."""
    accuracy = accuracies(lesson.scores, lesson.group, count=len(lesson.categories))
    weights = log_odds(accuracy[lesson.group], lesson.options[:, None])
    return greedy_order(lesson.ballots, lesson.scores, weights, lesson.options)


def learn_votes(lesson: Lesson, *, most: int) -> dict[str, Vote]:
    """The candidates, by name: votes of up to `most` experts."""
    count = len(lesson.categories)
    order = order_of(lesson)
    reliability = log_odds(accuracies(lesson.scores, lesson.group, count=count), _usual_options(lesson)[:, None])
    votes: dict[str, Vote] = {}
    for size in _sizes(min(most, len(order))):
        chosen = order[:size]
        ballots, scores = lesson.ballots.experts(chosen), lesson.scores[:, chosen]
        votes[f"weighted vote of {size}"] = Vote(tuple(chosen), reliability[:, chosen])
        votes[f"fitted vote of {size}"] = Vote(
            tuple(chosen), fitted_weights(ballots, scores, lesson.group, count=count)
        )
    return votes


def learn_policy(lesson: Lesson, *, experts: tuple[str, ...], fold: Ints, most: int, seed: int = 0) -> FusionPolicy:
    """What to do in each category.

    experts: names of the k, in their order. fold: of each query, [n]; queries of the same text in the same one. most:
    drafts of a query.

    Raises:
        TrainingError: no query, no expert, or a single fold.
    """
    if len(set(fold.tolist())) < 2:  # noqa: PLR2004 - one side learns, one is scored
        raise TrainingError([f"{len(lesson)} queries in one fold: a vote cannot be scored on queries held out from it"])
    votes = learn_votes(lesson, most=most)
    scores = _held_out_scores(lesson, fold, most=most)
    names = [lesson.categories[group] for group in lesson.group.tolist()]
    singles = learn_mapping(names, experts, lesson.scores, seed=seed)
    proven = [name for name in votes if _overall_bound(scores[name] - _single_scores(lesson, singles)) > 0]
    mapping = learn_mapping(
        names,
        experts,
        lesson.scores,
        fuse_columns=[
            FuseColumn(name=name, members=tuple(experts[at] for at in votes[name].experts), scores=scores[name])
            for name in proven or votes
        ],
        confidence=singles.confidence,
        fuse_confidence=EVEN_ODDS if proven else CONFIDENCE,
        seed=seed,
    )
    return FusionPolicy(experts=experts, categories=lesson.categories, mapping=mapping, votes=votes, most=most)


def scores_of(scores: Reals, winner: Ints) -> Reals:
    """The score of each query's winner, [n]; 0 where nobody answered."""
    return np.where(winner >= 0, scores[np.arange(len(scores)), winner], 0.0)


def _single_scores(lesson: Lesson, singles: LearnedMapping) -> Reals:
    """What the single expert of each query's category scored, [n]."""
    column = {expert: at for at, expert in enumerate(singles.experts)}
    chosen = np.array([column[singles.expert(category)] for category in lesson.categories], dtype=np.intp)
    return scores_of(lesson.scores, chosen[lesson.group])


def _overall_bound(gains: Reals) -> float:
    """The one-sided lower bound of a mean, by its normal approximation."""
    return float(gains.mean() - ndtri(CONFIDENCE) * gains.std() / np.sqrt(len(gains)))


def _held_out_scores(lesson: Lesson, fold: Ints, *, most: int) -> dict[str, Reals]:
    """What each candidate scores on every query, [n], learned without the query's fold."""
    found: dict[str, Reals] = {}
    for number in np.unique(fold):
        held = np.flatnonzero(fold == number)
        judged = lesson.rows(held)
        for name, vote in learn_votes(lesson.rows(fold != number), most=most).items():
            chosen = list(vote.experts)
            winner = winners(judged.ballots.experts(chosen), vote.weights[judged.group])
            found.setdefault(name, np.zeros(len(lesson)))[held] = scores_of(judged.scores[:, chosen], winner)
    return found


def _usual_options(lesson: Lesson) -> Reals:
    """Among how many options a category's queries are decided, [c + 1], the last of all queries.

    The geometric mean of K - 1, and 1: what the log odds of the category's queries have on average.
    """
    logs = np.log(lesson.options - 1.0)
    count = len(lesson.categories)
    sums, sizes = np.zeros(count + 1), np.bincount(lesson.group, minlength=count + 1).astype(np.float64)
    np.add.at(sums, lesson.group, logs)
    sums[count], sizes[count] = logs.sum(), len(logs)
    usual: Reals = 1.0 + np.exp(np.where(sizes > 0, sums, sums[count]) / np.where(sizes > 0, sizes, sizes[count]))
    return usual


def _sizes(most: int) -> list[int]:
    """3, 4, 5, then about half as many again each time, and `most` itself."""
    sizes: list[int] = []
    size = FEWEST
    while size < most:
        sizes.append(size)
        size += max(1, size // 2 if size >= 5 else 1)  # noqa: PLR2004
    return [*sizes, most] if most >= FEWEST else []
