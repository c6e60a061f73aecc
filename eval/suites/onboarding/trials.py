"""Leaves experts out of the mapping one by one, and adds them again from few shots. Knows no figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import IntArray, Reals
from eval.splits import Split
from eval.suites.mapping.pool import Pool
from routers.mapping.learn import LearnedMapping, learn_mapping
from routers.mapping.newcomer import Shots
from routers.mapping.onboarding import onboard

__all__ = ["Plan", "Trial", "Trials", "tried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """new: positions of the experts that are left out in turn. shots: how many. draws: sets of shots of each size."""

    new: tuple[int, ...]
    shots: tuple[int, ...]
    draws: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One estimate. error: of the mean score over the traffic; plain_error: of the shots' own mean.

    category_error: mean over the categories. held: share of the categories whose 95 % interval holds the mean score.
    """

    shots: int
    error: float
    plain_error: float
    category_error: float
    held: float


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Scores of the judged queries by the plan of their category, [n]; NaN where none was.

    with_all: by the mapping of all experts. without: by the left-out expert. placed: by the left-out expert and the
    number of shots, means over the draws.
    """

    with_all: Reals
    without: dict[int, Reals]
    placed: dict[tuple[int, int], Reals]
    trials: list[Trial]


def tried(pool: Pool, splits: Sequence[Split], plan: Plan, *, progress: Callable[[int, int], None]) -> Trials:
    """Split by split; every query of the pool has a category."""
    n = len(pool.ids)
    trials = Trials(
        with_all=np.full(n, np.nan),
        without={new: np.full(n, np.nan) for new in plan.new},
        placed={(new, k): np.full(n, np.nan) for new in plan.new for k in plan.shots},
        trials=[],
    )
    truth = _truth(pool)
    total = len(splits) * len(plan.new)
    for number, split in enumerate(splits):
        whole = _learned(pool, split.learned, tuple(range(len(pool.experts))))
        trials.with_all[split.judged] = _scores(pool, whole, split.judged)
        for place, new in enumerate(plan.new):
            progress(number * len(plan.new) + place, total)
            _left_out(pool, split, plan, trials, new=new, fold=number, truth=truth)
    progress(total, total)
    return trials


def _truth(pool: Pool) -> dict[str, Reals]:
    """Mean score of every expert in every category, [e]."""
    names = np.array([str(category) for category in pool.categories])
    return {str(name): pool.scores[names == name].mean(axis=0) for name in np.unique(names)}


def _left_out(
    pool: Pool,
    split: Split,
    plan: Plan,
    trials: Trials,
    *,
    new: int,
    fold: int,
    truth: dict[str, Reals],
) -> None:
    others = tuple(column for column in range(len(pool.experts)) if column != new)
    before = _learned(pool, split.learned, others)
    trials.without[new][split.judged] = _scores(pool, before, split.judged)
    for k in plan.shots:
        found = []
        for draw in range(plan.draws):
            random = np.random.default_rng([plan.seed, fold, new, k, draw])
            rows = random.choice(split.learned, min(k, len(split.learned)), replace=False)
            after, trial = _placed(pool, before, rows, new=new, others=others, truth=truth)
            found.append(_scores(pool, after, split.judged))
            trials.trials.append(trial)
        trials.placed[new, k][split.judged] = np.mean(found, axis=0)


def _placed(
    pool: Pool,
    before: LearnedMapping,
    rows: IntArray,
    *,
    new: int,
    others: tuple[int, ...],
    truth: dict[str, Reals],
) -> tuple[LearnedMapping, Trial]:
    position = {category: place for place, category in enumerate(before.categories)}
    costs = np.full(len(rows), np.nan) if pool.costs_usd is None else pool.costs_usd[rows, new]
    shots = Shots(
        group=np.array([position[str(pool.categories[row])] for row in rows.tolist()], dtype=np.intp),
        scores=pool.scores[rows, new],
        others=pool.scores[rows][:, others],
        costs_usd=costs,
    )
    onboarded = onboard(before, pool.experts[new], shots)
    true = np.array([truth[category][new] for category in before.categories])
    shares = np.array([before.shares[category] for category in before.categories])
    off = onboarded.estimate.mean - true
    return onboarded.mapping, Trial(
        shots=len(rows),
        error=abs(float(shares @ off)),
        plain_error=abs(float(shots.scores.mean() - shares @ true)),
        category_error=float(np.abs(off).mean()),
        held=float((np.abs(off) <= 1.96 * onboarded.estimate.sd).mean()),
    )


def _learned(pool: Pool, rows: IntArray, columns: tuple[int, ...]) -> LearnedMapping:
    known = pool.costs_usd is not None and not np.isnan(pool.costs_usd[rows]).all(axis=0).any()
    costs = pool.costs_usd[rows][:, columns] if known and pool.costs_usd is not None else None
    return learn_mapping(
        [str(pool.categories[row]) for row in rows.tolist()],
        [pool.experts[column] for column in columns],
        pool.scores[rows][:, columns],
        costs_usd=costs,
    )


def _scores(pool: Pool, mapping: LearnedMapping, rows: IntArray) -> Reals:
    position = {expert: column for column, expert in enumerate(pool.experts)}
    column_of = {category: position[mapping.expert(category)] for category in set(mapping.categories)}
    fallback = position[mapping.fallback.experts[0]]
    columns = [column_of.get(str(pool.categories[row]), fallback) for row in rows.tolist()]
    scores: Reals = pool.scores[rows, columns]
    return scores
