"""What every way to make one answer of the drafts says, learned on one side of a split and applied to the other.

All ways see the same recorded drafts of the same experts, those most worth asking, in one learned order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Reals
from eval.splits import Split, text_folds
from eval.suites.fusion.drafts import Drafted
from routers.fusion import Ballots, Decided, decide, winners
from routers.fusion.fitted import fitted_weights
from routers.fusion.kept import default_keep, nearest_kept, some_kept
from routers.fusion.learn import Lesson, learn_policy, order_of, usual_options
from routers.fusion.policy import FusionPolicy
from routers.fusion.reliability import accuracies, effective_options, log_odds
from routers.fusion.stability import stable_weights

__all__ = [
    "BEST_SINGLE",
    "CONSENSUS",
    "METHODS",
    "ORACLE",
    "POLICY",
    "RANDOM_FILTER",
    "WEIGHTED",
    "Judged",
    "Learned",
    "judge",
    "learn",
]

BEST_SINGLE: Final = "best_single"
MAJORITY: Final = "majority"
STABLE: Final = "stable"
WEIGHTED: Final = "weighted"
FITTED: Final = "fitted"
CONSENSUS: Final = "consensus"
RANDOM_FILTER: Final = "random_filter"
POLICY: Final = "policy"
ORACLE: Final = "oracle"
METHODS: Final = (BEST_SINGLE, MAJORITY, STABLE, WEIGHTED, FITTED, CONSENSUS, RANDOM_FILTER, POLICY, ORACLE)
"""In the order of tables. The oracle takes a right draft wherever there is one."""
TRIFLE = 1e-3
"""What the first vote of a majority weighs more than others: a tie goes to whom it is most worth asking."""
MANY = 8
"""From here on the curve of drafts is not drawn for every number of them."""
INNER_FOLDS = 5
INNER_SEED = 1_000_003
"""Set apart from the folds outside, so that those within are not the same."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Learned:
    """What one side of a split taught.

    order: positions of the experts that draft, in the order of asking. categories: those that were seen. accuracy: of
    all experts in each category and any other one. fitted, stable: weights there of those in the order. options: of a
    query that lists none.
    """

    order: tuple[int, ...]
    best_single: int
    categories: tuple[str, ...]
    accuracy: Reals
    fitted: Reals
    stable: Reals
    options: float
    policy: FusionPolicy


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judged:
    """What the other side shows; rows: its queries [n].

    said: by method, whose answer it is and who was asked for it. curve: the same for the weighted vote of the first
    drafts, by their number. drafting: the experts that a fusion of all drafts asks, [n, k]. dissent: where the
    consensus dropped an answer that none of the kept drafts gives, [n]. specialist: of those that draft, who is best in
    the category of each query, [n].
    """

    rows: IntArray
    said: Mapping[str, Decided]
    curve: Mapping[int, Decided]
    drafting: Flags
    dissent: Flags
    specialist: IntArray


def learn(data: Drafted, rows: IntArray, *, most: int, seed: int) -> Learned:
    """From these queries; at most so many drafts a query."""
    names, group = np.unique(np.array([data.categories[row] for row in rows.tolist()]), return_inverse=True)
    ballots, scores = data.ballots.rows(rows), data.scores[rows]
    usual = effective_options(ballots, scores)
    lesson = Lesson(
        ballots=ballots,
        scores=scores,
        group=group.astype(np.intp),
        options=_options(data.options[rows], usual),
        categories=tuple(names.tolist()),
    )
    fold = text_folds([data.records[row].query for row in rows.tolist()], folds=INNER_FOLDS, seed=seed + INNER_SEED)
    order = order_of(lesson)[:most]
    return Learned(
        order=tuple(order),
        best_single=int(scores.mean(axis=0).argmax()),
        categories=lesson.categories,
        accuracy=accuracies(scores, lesson.group, count=len(names)),
        fitted=fitted_weights(ballots.experts(order), scores[:, order], lesson.group, count=len(names)),
        stable=stable_weights(ballots.experts(order), lesson.group, usual_options(lesson), count=len(names)),
        options=usual,
        policy=learn_policy(lesson, experts=data.experts, fold=fold, most=most, seed=seed),
    )


def judge(data: Drafted, split: Split, learned: Learned) -> Judged:
    """What each method says to the queries that were not learned from."""
    rows = split.judged
    order = learned.order
    ballots = data.ballots.rows(rows)
    names = [data.categories[row] for row in rows.tolist()]
    known = {name: at for at, name in enumerate(learned.categories)}
    group = np.array([known.get(name, len(known)) for name in names], dtype=np.intp)
    options = _options(data.options[rows], learned.options)
    weights = log_odds(learned.accuracy[group], options[:, None])[:, order]
    kept = _kept(ballots.experts(order), data.draws[rows][:, order])
    drafting = np.zeros(ballots.codes.shape, dtype=np.bool_)
    drafting[:, order] = True
    single = np.full(len(rows), learned.best_single, dtype=np.intp)
    said = {
        BEST_SINGLE: Decided(single, np.arange(len(data.experts)) == single[:, None]),
        MAJORITY: decide(ballots, 1.0 + TRIFLE * 2.0 ** -np.arange(len(order), dtype=np.float64), order),
        STABLE: decide(ballots, learned.stable[group], order),
        WEIGHTED: decide(ballots, weights, order),
        FITTED: decide(ballots, learned.fitted[group], order),
        **{name: _of_kept(ballots.experts(order), flags, weights, order, drafting) for name, flags in kept.items()},
        POLICY: learned.policy.decide(ballots, names),
        ORACLE: Decided(np.array(order)[data.scores[rows][:, order].argmax(axis=1)], drafting),
    }
    return Judged(
        rows=rows,
        said={name: said[name] for name in METHODS},
        curve={size: decide(ballots, weights[:, :size], order[:size]) for size in _sizes(len(order))},
        drafting=drafting,
        dissent=_dissent(ballots.experts(order), kept[CONSENSUS]),
        specialist=np.array(order)[learned.accuracy[group][:, order].argmax(axis=1)],
    )


def _sizes(most: int) -> list[int]:
    """Every number of drafts up to `MANY`, then in growing steps, and `most` itself."""
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(most, sizes[-1] + max(1, sizes[-1] // 4)) if sizes[-1] >= MANY else sizes[-1] + 1)
    return sizes


def _options(listed: Reals, usual: float) -> Reals:
    """Among how many a query is decided: those it lists, at least two, or what is usual."""
    return np.where(np.isnan(listed), usual, np.maximum(listed, 2.0))


def _kept(ballots: Ballots, draws: Reals) -> dict[str, Flags]:
    """The drafts that the consensus keeps, and the placebo's, [n, drafts]; as many as the service keeps by default."""
    keep = np.array([default_keep(count) for count in ballots.answered.sum(axis=1).tolist()], dtype=np.intp)
    return {CONSENSUS: nearest_kept(ballots, keep, draws), RANDOM_FILTER: some_kept(ballots, keep, draws)}


def _of_kept(ballots: Ballots, kept: Flags, weights: Reals, order: tuple[int, ...], drafting: Flags) -> Decided:
    """The verdict: the weighted vote of the kept drafts. Everybody drafts, since agreement needs all answers."""
    position = np.append(np.array(order, dtype=np.intp), -1)
    return Decided(position[winners(ballots.only(kept), weights)], drafting)


def _dissent(ballots: Ballots, kept: Flags) -> Flags:
    heard = np.logical_or.reduce(ballots.same & kept[:, None, :], axis=2)
    dropped: Flags = np.logical_or.reduce(ballots.answered & ~heard, axis=1)
    return dropped
