"""What several routers make of the judged queries, by what the learned ones taught them. Knows no figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.datasets import DataError
from eval.metrics.arrays import IntArray, Reals
from eval.splits import Split
from eval.suites.mapping.pool import Pool
from routers.classify.kinds import ClassifierKind
from routers.embedding import Embedder
from routers.embedding.protocol import FloatArray
from routers.errors import InfeasibleBudget
from routers.mapping.learn import Budget, LearnedMapping, learn_mapping

__all__ = ["NOBODY", "ROUTERS", "Lesson", "Routes", "routed"]

ROUTERS = ("best_single", "category_true", "category_predicted", "knn", "plan")
NOBODY = -1
"""Stands for an expert where a router has nothing to say."""

PLACES = np.linspace(0.0, 1.0, 41)
"""Along the frontier of a learned mapping, from its cheapest to its best."""
PENALTIES = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 39), [1e9]])
"""Score that a router gives up for saving the whole range of the experts' mean prices; the last goes by price alone."""
ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lesson:
    """How routers learn.

    embedder: is asked for the same texts in every split, so one that remembers them. classifier: of categories.
    neighbours: of the nearest-query router.
    """

    embedder: Embedder
    classifier: ClassifierKind
    budget_usd: float | None = None
    neighbours: int = 100
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """What was decided for each query, filled split by split.

    chosen: positions of experts, by router [n]. sweeps: the same by router that trades quality for cost, cheaper and
    dearer, [settings, n]. expected: scores by predictor, [n, e]. predicted: the category [n], empty where none was
    learned.
    """

    chosen: dict[str, IntArray]
    sweeps: dict[str, IntArray]
    expected: dict[str, Reals]
    predicted: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, n: int, *, experts: int) -> Routes:
        """Nobody is chosen yet."""
        return cls(
            chosen={name: np.full(n, NOBODY) for name in ROUTERS},
            sweeps={
                "plan": np.full((len(PLACES), n), NOBODY),
                "knn": np.full((len(PENALTIES), n), NOBODY),
            },
            expected={name: np.full((n, experts), np.nan) for name in ("category_predicted", "knn")},
            predicted=[""] * n,
        )

    def of(self, rows: IntArray) -> Routes:
        """Those of some queries."""
        return Routes(
            chosen={name: chosen[rows] for name, chosen in self.chosen.items()},
            sweeps={name: sweep[:, rows] for name, sweep in self.sweeps.items()},
            expected={name: scores[rows] for name, scores in self.expected.items()},
            predicted=[self.predicted[row] for row in rows.tolist()],
        )


def routed(pool: Pool, splits: Sequence[Split], lesson: Lesson, *, progress: Callable[[int, int], None]) -> Routes:
    """What the routers decide for the judged queries of each split, by its learned ones.

    Raises:
        DataError: no mapping keeps within the budget.
        TrainingError: the outcomes cannot be learned from.
    """
    routes = Routes.empty(len(pool.ids), experts=len(pool.experts))
    vectors = lesson.embedder.embed([record.query for record in pool.records])
    for done, split in enumerate(splits):
        progress(done, len(splits))
        routes.chosen["best_single"][split.judged] = pool.scores[split.learned].mean(axis=0).argmax()
        _by_neighbours(pool, split, routes, vectors=vectors, count=lesson.neighbours)
        _by_category(pool, split, routes, lesson=lesson)
    progress(len(splits), len(splits))
    return routes


def _by_neighbours(pool: Pool, split: Split, routes: Routes, *, vectors: FloatArray, count: int) -> None:
    """The expert that scored best on the nearest learned queries; and with a growing say of what it cost there."""
    scores = pool.scores[split.learned]
    prices = _known_prices(pool, split.learned)
    columns = np.hstack([scores, prices])
    near = _means_nearby(vectors[split.judged], vectors[split.learned], columns, count=count)
    expected, price = near[:, : len(pool.experts)], near[:, len(pool.experts) :]
    width = float(np.ptp(prices.mean(axis=0))) or 1.0
    routes.expected["knn"][split.judged] = expected
    routes.chosen["knn"][split.judged] = expected.argmax(axis=1)
    for row, penalty in enumerate(PENALTIES):
        routes.sweeps["knn"][row, split.judged] = (expected - penalty * price / width).argmax(axis=1)


def _known_prices(pool: Pool, rows: IntArray) -> Reals:
    """[n, e]; the expert's mean where a price is missing, nothing where none is known."""
    if pool.prices is None:
        return np.zeros((len(rows), len(pool.experts)))
    prices = pool.prices.values[rows]
    known = ~np.isnan(prices)
    mean = np.where(known, prices, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, prices, mean)


def _means_nearby(judged: FloatArray, learned: FloatArray, columns: Reals, *, count: int) -> Reals:
    """Means of the columns [l, m] over the learned queries most like each judged one by cosine, [j, m]."""
    means = np.empty((len(judged), columns.shape[1]))
    for start in range(0, len(judged), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        likeness = judged[some] @ learned.T
        if count < len(learned):
            nearest = np.argpartition(-likeness, count, axis=1)[:, :count]
            means[some] = columns[nearest].mean(axis=1)
        else:
            means[some] = columns.mean(axis=0)
    return means


def _by_category(pool: Pool, split: Split, routes: Routes, *, lesson: Lesson) -> None:
    """The best expert of the true and of the predicted category, and what the learned mapping makes of the latter.

    Queries without a category teach nothing here. Where no learned query has one, there is nothing to predict, and the
    mapping is that of one category for all.
    """
    rows = np.array([row for row in split.learned.tolist() if pool.categories[row] is not None], dtype=np.intp)
    names = [str(pool.categories[row]) for row in rows.tolist()]
    if not names:
        mapping = _mapping(pool, split.learned, [""] * len(split.learned), lesson)
        _by_plan(pool, split.judged, routes, mapping=mapping)
        return
    best = int(pool.scores[split.learned].mean(axis=0).argmax())
    means = {name: pool.scores[rows[np.array(names) == name]].mean(axis=0) for name in sorted(set(names))}
    best_of = {name: int(mean.argmax()) for name, mean in means.items()}
    true = [pool.categories[row] for row in split.judged.tolist()]
    routes.chosen["category_true"][split.judged] = [NOBODY if c is None else best_of.get(c, best) for c in true]
    texts = [record.query for record in pool.records]
    classes, posterior = _posterior(texts, rows, names, judged=split.judged, lesson=lesson)
    for row, column in zip(split.judged.tolist(), posterior.argmax(axis=1).tolist(), strict=True):
        routes.predicted[row] = classes[column]
        routes.chosen["category_predicted"][row] = best_of[classes[column]]
    routes.expected["category_predicted"][split.judged] = posterior @ np.stack([means[name] for name in classes])
    _by_plan(pool, split.judged, routes, mapping=_mapping(pool, rows, names, lesson))


def _posterior(
    texts: Sequence[str],
    learned: IntArray,
    names: Sequence[str],
    *,
    judged: IntArray,
    lesson: Lesson,
) -> tuple[tuple[str, ...], Reals]:
    """The learned categories, and how probable each is for the judged queries, [j, c]; a single one is certain."""
    if len(set(names)) == 1:
        return (names[0],), np.ones((len(judged), 1))
    classifier = lesson.classifier(lesson.embedder).fit([texts[row] for row in learned.tolist()], names)
    posterior = classifier.posterior([texts[row] for row in judged.tolist()])
    return tuple(classifier.classes_), posterior.astype(np.float64)


def _mapping(pool: Pool, rows: IntArray, names: Sequence[str], lesson: Lesson) -> LearnedMapping:
    costs = None if pool.costs_usd is None else pool.costs_usd[rows]
    if costs is not None and np.isnan(costs).all(axis=0).any():
        costs = None
    active = None if pool.active_params_b is None else pool.active_params_b.tolist()
    try:
        return learn_mapping(
            names,
            pool.experts,
            pool.scores[rows],
            costs_usd=costs,
            active_params_b=active,
            budget=Budget(cost_per_query_usd=lesson.budget_usd),
            seed=lesson.seed,
        )
    except InfeasibleBudget as error:
        raise DataError([f"--budget-usd: {problem}" for problem in error.problems]) from error


def _by_plan(pool: Pool, judged: IntArray, routes: Routes, *, mapping: LearnedMapping) -> None:
    position = {expert: column for column, expert in enumerate(pool.experts)}
    number = {name: row for row, name in enumerate(mapping.categories)}
    along = np.array(
        [[position[mapping.expert(name, cost_quality=place)] for name in mapping.categories] for place in PLACES]
    )
    group = np.array([number[routes.predicted[row]] for row in judged.tolist()], dtype=np.intp)
    routes.sweeps["plan"][:, judged] = along[:, group]
    routes.chosen["plan"][judged] = along[-1, group]
