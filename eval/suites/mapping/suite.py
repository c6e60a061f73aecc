"""Learns routers from graded outcomes, and judges whom they choose for queries that they did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from eval.datasets import DataError, Dataset
from eval.findings import Figures, Findings
from eval.runs import describe, notes_of
from eval.splits import Split
from eval.suites.mapping.calls import Pair, pair_of
from eval.suites.mapping.figures import figures_of, per_query
from eval.suites.mapping.judging import Intervals, Judged, judged_of
from eval.suites.mapping.learning import Lesson, Routes, routed
from eval.suites.mapping.parts import parts_of
from eval.suites.mapping.pool import Pool, pool_of, splits_of
from routers.classify.kinds import ClassifierKind, classifier_kind
from routers.embedding import Embedder
from routers.embedding.cached import CachedEmbedder
from routers.errors import UnknownClassifier

__all__ = ["judge_mapping"]

Progress: TypeAlias = Callable[[str, int, int], None]


def judge_mapping(
    datasets: Sequence[Dataset],
    *,
    embedder: Embedder,
    classifier: str = "linear",
    train: Sequence[Dataset] = (),
    folds: int = 5,
    experts: Sequence[str] | None = None,
    budget_usd: float | None = None,
    active_params_b: Mapping[str, float] | None = None,
    neighbours: int = 100,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """What each router's choice of one expert a query scores and costs; learned from `train`, or fold by fold.

    best_single: the best expert of the learned queries. random: the mean over the experts. category_true,
    category_predicted: the best expert of the category. knn: the best one on the nearest learned queries. plan: the
    learned mapping, within `budget_usd` a query, of the predicted category. oracle: the best expert of each query, of
    equals the cheapest. Elsewhere equal experts rank as in the pool: as `experts` names them, else as they first stand
    in the data.

    aiq: of the plan over its frontier. apgr, cpt50, cpt80: the strong expert is called where the nearest queries let
    expect the largest gain. classifier: the kind that predicts categories. active_params_b: billions, by expert.

    Raises:
        DataError: no outcomes, unknown experts or classifier, too few queries, or a budget that nothing keeps.
        TrainingError: the outcomes cannot be learned from.
    """
    pool = pool_of(datasets, train=train, experts=experts, active_params_b=active_params_b)
    splits, shared = splits_of(pool, folds=folds, seed=seed)
    if budget_usd is not None:
        _check_costs(pool)
    lesson = Lesson(
        embedder=CachedEmbedder(embedder),
        classifier=_kind(classifier),
        budget_usd=budget_usd,
        neighbours=neighbours,
        seed=seed,
    )
    judged = _judged(pool, splits, lesson, progress=progress)
    pair = pair_of(judged.pool, experts)
    figures, parts = _measured(judged, pair, seed=seed, progress=progress)
    return Findings(
        suite="mapping",
        run=describe(
            [*train, *datasets],
            seed=seed,
            experts=list(pool.experts),
            embedder=embedder.fingerprint,
            classifier=classifier,
            folds=None if train else folds,
            train=len(train) or None,
            budget_usd=budget_usd,
            neighbours=neighbours,
            active_params_b=None if pool.active_params_b is None else pool.active_params_b.tolist(),
        ),
        figures=figures,
        parts=parts,
        queries=per_query(judged),
        notes=(
            *notes_of([*train, *datasets]),
            *pool.notes,
            *_notes(judged.pool, judged.routes, pair, shared=shared, budget_usd=budget_usd),
        ),
    )


def _judged(pool: Pool, splits: Sequence[Split], lesson: Lesson, *, progress: Progress) -> Judged:
    """All texts are embedded first, by as many threads as the embedder likes."""
    lesson.embedder.embed([record.query for record in pool.records])
    with _one_thread():
        routes = routed(pool, splits, lesson, progress=partial(progress, "learning"))
    rows = np.arange(pool.learned_only, len(pool.ids))
    return judged_of(pool.of(rows), routes.of(rows))


def _measured(judged: Judged, pair: Pair | None, *, seed: int, progress: Progress) -> tuple[Figures, dict[str, Any]]:
    intervals = Intervals(seed=seed)
    progress("judging", 0, 1)
    with _one_thread():
        measured = figures_of(judged, pair, intervals), parts_of(judged, pair, intervals)
    progress("judging", 1, 1)
    return measured


def _one_thread() -> AbstractContextManager[None]:
    """Sums that several threads share end in other digits, which turns near ties.

    And matrices are small here: on a busy machine threads wait for each other more than they add.
    """
    limits: AbstractContextManager[None] = threadpool_limits(limits=1)
    return limits


def _kind(name: str) -> ClassifierKind:
    try:
        return classifier_kind(name)
    except UnknownClassifier as error:
        raise DataError([f"--classifier {name}: {error}"]) from error


def _check_costs(pool: Pool) -> None:
    costs = pool.costs_usd
    lacking = [name for column, name in enumerate(pool.experts) if costs is None or np.isnan(costs[:, column]).all()]
    if lacking:
        raise DataError([f"--budget-usd: the records do not say what {name} costs (cost_usd)" for name in lacking])


def _notes(pool: Pool, routes: Routes, pair: Pair | None, *, shared: int, budget_usd: float | None) -> list[str]:
    notes = []
    if shared:
        notes.append(f"{shared} queries to learn from stand among the judged ones too: nothing is learned from them")
    notes += [*_category_notes(pool, routes), *_price_notes(pool)]
    if pair is not None:
        weak, strong = pool.experts[pair.weak], pool.experts[pair.strong]
        notes.append(f"apgr, cpt50 and cpt80: weak is {weak}, strong is {strong}; calls by the gain that knn expects")
        if not pool.scores[:, pair.strong].mean() > pool.scores[:, pair.weak].mean():
            notes.append(f"{strong} is not better than {weak}: there is no gap to recover; --experts names weak,strong")
    elif pool.prices is None:
        notes.append("apgr, cpt50 and cpt80 need a cheap and a dear expert: name two by --experts weak,strong")
    else:
        notes.append("apgr, cpt50 and cpt80 are undefined: the cheapest expert is the best one")
    if budget_usd is not None:
        notes.append("only `plan` keeps within the budget, on average over what it is learned from; its aiq ends there")
    return notes


def _category_notes(pool: Pool, routes: Routes) -> list[str]:
    if not any(routes.predicted):
        return ["no query to learn from has a category: category figures are undefined, and the plan is one for all"]
    unknown = sum(category is None for category in pool.categories)
    if unknown:
        return [f"{unknown} queries have no category: they do not enter category_true, and teach no mapping"]
    return []


def _price_notes(pool: Pool) -> list[str]:
    notes = []
    if pool.costs_usd is None:
        notes.append("the records have no costs (cost_usd): mean_cost, arena_score and aiq are undefined")
    elif missing := int(np.sum(~pool.priced)):
        notes.append(f"{missing} queries lack the cost of some expert: they do not enter aiq and the frontier")
    if pool.active_params_b is None:
        notes.append("active parameters are not known of every expert: avg_active_params is undefined")
    return notes
