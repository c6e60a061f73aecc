"""Recorded drafts -> who is fused, in which categories, with which weights. Knows scores and answers.

The candidates are votes of the first 3, 4, ... experts in the order in which they are worth asking (`order`), weighted
by log odds or by fitted weights; or without labels (`stability`), where that beats equal weights and log odds alike.
Each is scored on queries that were held out when it was learned, its order and weights included. What a category gets
is the mapping's decision, by the paired gain of each vote on the best single expert: it has to be proven that fusing
does no harm (`routers.mapping.harm`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from routers.errors import TrainingError
from routers.fusion.fitted import fitted_weights
from routers.fusion.kept import default_keep, some_kept
from routers.fusion.order import greedy_order
from routers.fusion.policy import FusionPolicy
from routers.fusion.reliability import accuracies, log_odds
from routers.fusion.stability import helped, stable_weights
from routers.fusion.votes import Ballots, Flags, Ints, Reals, speakers
from routers.mapping.learn import FuseColumn, learn_mapping

__all__ = ["Lesson", "Vote", "fuse_columns", "learn_policy", "learn_votes", "order_of", "scores_of", "usual_options"]

PLACEBO_SEED = 0
FEWEST = 3
"""Of two drafts the heavier one wins, whatever the other says."""
STABLE = "stable"
"""Votes whose weights no label taught."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """A weighted vote.

    experts: by position, in the order in which they are asked. weights: of each in each category, [c + 1, experts]; the
    last row is for any other category.
    """

    experts: tuple[int, ...]
    weights: Reals


def order_of(lesson: Lesson) -> list[int]:
    """All experts, those most worth asking first."""
    accuracy = accuracies(lesson.scores, lesson.group, count=len(lesson.categories))
    weights = log_odds(accuracy[lesson.group], lesson.options[:, None])
    return greedy_order(lesson.ballots, lesson.scores, weights, lesson.options)


def learn_votes(lesson: Lesson, *, most: int) -> dict[str, Vote]:
    """The candidates, by name: votes of up to `most` experts."""
    count = len(lesson.categories)
    order = order_of(lesson)
    options = usual_options(lesson)
    reliability = log_odds(accuracies(lesson.scores, lesson.group, count=count), options[:, None])
    votes: dict[str, Vote] = {}
    for size in _sizes(min(most, len(order))):
        chosen = order[:size]
        ballots, scores = lesson.ballots.experts(chosen), lesson.scores[:, chosen]
        votes[f"weighted vote of {size}"] = Vote(tuple(chosen), reliability[:, chosen])
        votes[f"fitted vote of {size}"] = Vote(
            tuple(chosen), fitted_weights(ballots, scores, lesson.group, count=count)
        )
        stable = stable_weights(ballots, lesson.group, options, count=count)
        votes[f"{STABLE} vote of {size}"] = Vote(tuple(chosen), stable)
    return votes


def fuse_columns(lesson: Lesson, *, experts: tuple[str, ...], fold: Ints, most: int) -> list[FuseColumn]:
    """The candidates with what each scores on queries that were held out when it was learned.

    experts: names of the k, in their order. fold: of each query, [n]; queries of the same text in the same one. most:
    drafts of a query.

    Raises:
        TrainingError: no query, no expert, or a single fold.
    """
    if len(set(fold.tolist())) < 2:  # noqa: PLR2004 - one side learns, one is scored
        raise TrainingError([f"{len(lesson)} queries in one fold: a vote cannot be scored on queries held out from it"])
    scores = _held_out_scores(lesson, fold, most=most)
    return [
        FuseColumn(
            name=name,
            members=tuple(experts[at] for at in vote.experts),
            scores=scores[name].vote,
            placebo=scores[name].placebo,
            weights=dict(zip(lesson.categories, vote.weights.tolist(), strict=False)),
        )
        for name, vote in learn_votes(lesson, most=most).items()
        if not name.startswith(STABLE) or _pays(name, scores)
    ]


def _pays(name: str, scores: Mapping[str, _Scores]) -> bool:
    """Whether a vote that no label taught is better than the equal one and than that by log odds, of the same size."""
    taught = scores[name.replace(STABLE, "weighted")].vote
    return helped(scores[name].vote, scores[name].equal) and helped(scores[name].vote, taught)


def learn_policy(lesson: Lesson, *, experts: tuple[str, ...], fold: Ints, most: int, seed: int = 0) -> FusionPolicy:
    """What to do in each category; arguments and errors as for `fuse_columns`."""
    columns = fuse_columns(lesson, experts=experts, fold=fold, most=most)
    names = [lesson.categories[group] for group in lesson.group.tolist()]
    mapping = learn_mapping(names, experts, lesson.scores, fuse_columns=columns, seed=seed)
    return FusionPolicy(experts=experts, mapping=mapping)


def scores_of(scores: Reals, winner: Ints) -> Reals:
    """The score of each query's winner, [n]; 0 where nobody answered."""
    return np.where(winner >= 0, scores[np.arange(len(scores)), winner], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Of a vote on n queries.

    placebo: without as many drafts, drawn at random, as a consensus drops. equal: of its experts with equal weights.
    """

    vote: Reals
    placebo: Reals
    equal: Reals

    @classmethod
    def of(cls, n: int) -> Self:
        return cls(np.zeros(n), np.zeros(n), np.zeros(n))


def _held_out_scores(lesson: Lesson, fold: Ints, *, most: int) -> dict[str, _Scores]:
    """What each candidate scores on every query, learned without the query's fold."""
    found: dict[str, _Scores] = {}
    draws = np.random.default_rng(PLACEBO_SEED).random(lesson.ballots.codes.shape)
    for number in np.unique(fold):
        held = np.flatnonzero(fold == number)
        judged = lesson.rows(held)
        for name, vote in learn_votes(lesson.rows(fold != number), most=most).items():
            chosen = list(vote.experts)
            ballots, weights = judged.ballots.experts(chosen).undrawn, vote.weights[judged.group]
            scores, own = found.setdefault(name, _Scores.of(len(lesson))), judged.scores[:, chosen]
            scores.vote[held] = scores_of(own, speakers(ballots, weights))
            some = ballots.only(_some(ballots, draws[held][:, chosen]))
            scores.placebo[held] = scores_of(own, speakers(some, weights))
            scores.equal[held] = scores_of(own, speakers(ballots, np.ones(len(chosen))))
    return found


def _some(ballots: Ballots, draws: Reals) -> Flags:
    """So many drafts as a consensus keeps, whatever they say, [n, k]."""
    answered = ballots.answered.sum(axis=1).tolist()
    return some_kept(ballots, np.array([default_keep(count) for count in answered], dtype=np.intp), draws)


def usual_options(lesson: Lesson) -> Reals:
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
