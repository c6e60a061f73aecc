"""Leave one expert out: how well few shots tell what it can, and what the mapping is worth with it so placed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from eval.datasets import DataError, Dataset
from eval.datasets.problems import did_you_mean
from eval.findings import Figures, Findings, PerQuery
from eval.metrics import Resampling
from eval.metrics.arrays import Reals
from eval.runs import describe, notes_of
from eval.suites.mapping.pool import Pool, pool_of, splits_of
from eval.suites.onboarding.trials import Plan, Trials, tried
from routers.mapping.onboarding import LEAST_SHOTS

__all__ = ["ALL", "judge_onboarding"]

ALL = "all"
"""Stands for every expert of the pool, each left out in turn."""
LEAST_EXPERTS = 3

Progress: TypeAlias = Callable[[str, int, int], None]


def judge_onboarding(
    datasets: Sequence[Dataset],
    *,
    experts: Sequence[str] | None = None,
    new: Sequence[str] = (ALL,),
    shots: Sequence[int] = (5, 10, 20, 50),
    draws: int = 5,
    folds: int = 5,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Fold by fold: the mapping without an expert, and with it from `shots` queries of the learned folds.

    What is judged is the expert of each query's true category. new: experts that are left out in turn. draws: sets of
    shots a fold and expert.

    Raises:
        DataError: no outcomes or categories, unknown experts, too few of them, of shots or of queries.
    """
    pool = pool_of(datasets, experts=experts)
    placed = [row for row, category in enumerate(pool.categories) if category is not None]
    _check(pool, placed, new, shots)
    left_out = len(pool.ids) - len(placed)
    pool = pool.of(np.array(placed, dtype=np.intp))
    splits, _ = splits_of(pool, folds=folds, seed=seed)
    positions = range(len(pool.experts)) if ALL in new else [pool.experts.index(name) for name in dict.fromkeys(new)]
    plan = Plan(new=tuple(positions), shots=tuple(dict.fromkeys(shots)), draws=draws, seed=seed)
    with threadpool_limits(limits=1):  # sums that several threads share end in other digits
        trials = tried(pool, splits, plan, progress=partial(progress, "learning"))
        figures, queries = _measured(pool, plan, trials, seed=seed)
    return Findings(
        suite="onboarding",
        run=describe(
            datasets,
            seed=seed,
            experts=list(pool.experts),
            new=[pool.experts[position] for position in plan.new],
            shots=list(plan.shots),
            draws=draws,
            folds=folds,
        ),
        figures=figures,
        queries=queries,
        notes=(
            *notes_of(datasets),
            *pool.notes,
            *([f"{left_out} queries are left out: they have no category"] if left_out else []),
            "queries are sent by their true category; errors count one an estimate, the scores one a query",
        ),
    )


def _check(pool: Pool, placed: Sequence[int], new: Sequence[str], shots: Sequence[int]) -> None:
    problems = []
    if not placed:
        problems.append("no query has a category: a mapping is learned by category")
    if len(pool.experts) < LEAST_EXPERTS:
        problems.append(f"--experts: {len(pool.experts)} experts; one is left out of {LEAST_EXPERTS} or more")
    known = ", ".join(pool.experts)
    problems += [
        f"--new-expert {name}: not in the pool{did_you_mean(name, pool.experts)}; known are {known}"
        for name in new
        if name != ALL and name not in pool.experts
    ]
    problems += [f"--shots {k}: at least {LEAST_SHOTS}" for k in shots if k < LEAST_SHOTS]
    if problems:
        raise DataError(problems)


def _measured(pool: Pool, plan: Plan, trials: Trials, *, seed: int) -> tuple[Figures, PerQuery]:
    """Scores and gains are means over the left-out experts, of each query; intervals over queries."""
    resampling = Resampling(len(pool.ids), seed=seed)
    without = _mean([trials.without[new] for new in plan.new])
    values = {"without": without, "with_all": trials.with_all}
    gains = {str(k): _mean([_gain(trials, new, k) for new in plan.new]) for k in plan.shots}
    values |= {f"with_shots.{k}": without + gain for k, gain in gains.items()}
    values |= {f"onboarding_gain.{k}": gain for k, gain in gains.items()}
    figures: dict[str, Figures] = {
        "with_shots": {k: resampling.mean(without + gain) for k, gain in gains.items()},
        "onboarding_gain": {k: resampling.mean(gain) for k, gain in gains.items()},
        "onboarding_gain_of": {
            pool.experts[new]: {str(k): resampling.mean(_gain(trials, new, k)) for k in plan.shots} for new in plan.new
        },
        **_errors(trials, plan, seed=seed),
    }
    single = {name: resampling.mean(values[name]) for name in ("without", "with_all")}
    return {**single, **figures}, PerQuery(ids=pool.ids, values=values)


def _gain(trials: Trials, new: int, shots: int) -> Reals:
    gain: Reals = trials.placed[new, shots] - trials.without[new]
    return gain


def _mean(rows: Sequence[Reals]) -> Reals:
    mean: Reals = np.mean(rows, axis=0)
    return mean


def _errors(trials: Trials, plan: Plan, *, seed: int) -> dict[str, Figures]:
    """Over all estimates of a size; intervals as if they were independent, though experts and queries recur."""
    names = {
        "estimate_error": "error",
        "plain_error": "plain_error",
        "category_error": "category_error",
        "interval_coverage": "held",
    }
    by_size = {k: [trial for trial in trials.trials if trial.shots == k] for k in plan.shots}
    return {
        name: {
            str(k): Resampling(len(some), seed=seed).mean([getattr(trial, field) for trial in some])
            for k, some in by_size.items()
            if some
        }
        for name, field in names.items()
    }
