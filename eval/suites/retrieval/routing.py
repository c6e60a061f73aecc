"""Which retriever each query goes to: by a router learned on other queries, by fixed choices, by the oracles.

Knows vectors and scores, no documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Reals
from eval.splits import Split
from routers.embedding import FloatArray
from routers.pilots import Similarity
from routers.retrievers.arms import Arm
from routers.retrievers.router import ArmRule, ArmTable, RuleChoice, learned_router

__all__ = [
    "BEST_FUSION",
    "BEST_SINGLE",
    "DATASET_ORACLE",
    "HINDSIGHT",
    "INSTANCE_ORACLE",
    "INSTANCE_ORACLE_FUSED",
    "ROUTER",
    "ROUTER_SINGLE",
    "Routed",
    "Routing",
    "route_queries",
]

ROUTER = "router"
ROUTER_SINGLE = "router_single"
"""Beside a router that may fuse two: the same between single retrievers alone."""
BEST_SINGLE = "best_single"
BEST_FUSION = "best_fusion"
HINDSIGHT = "best_single_hindsight"
"""The single retriever that turned out best on the judged queries: nobody could have known."""
DATASET_ORACLE = "dataset_oracle"
INSTANCE_ORACLE = "instance_oracle"
INSTANCE_ORACLE_FUSED = "instance_oracle_fused"
"""With the fused pairs to choose from too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """How the router chooses. rule: `auto` takes the one that does best on folds of what is learned from."""

    rule: RuleChoice = "mean"
    similarity: Similarity = "dot"
    seed: int = 0


Systems: TypeAlias = dict[str, IntArray]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Routed:
    """Where each query went, as columns of the arms, [n] each, by the name of who chose.

    Routers and fixed choices (`best_single`, `best_fusion`: the best mean over collections) learned it on the other
    folds; the oracles know the answers. scores: nDCG@10 of each arm, [n, n_arms], none having seen the query.
    right_collection: whether the router sees which collection the query is from. rules: that the router chose by.
    """

    columns: Mapping[str, IntArray]
    scores: Reals
    arms: tuple[Arm, ...]
    right_collection: Flags
    rules: tuple[ArmRule, ...]

    def values(self) -> dict[str, Reals]:
        """NDCG@10 of each query by system."""
        rows = np.arange(len(self.scores))
        return {name: self.scores[rows, columns] for name, columns in self.columns.items()}


def route_queries(
    scores: Sequence[Reals],
    vectors: FloatArray,
    *,
    arms: Sequence[Arm],
    collections: Sequence[str],
    splits: Sequence[Split],
    routing: Routing,
) -> Routed:
    """Route every query once.

    scores: [n, n_arms] in each split, where an arm may have been learned from the same queries. vectors: of the
    queries, float32 [n, dim]. collections: where each is from, [n]. splits: every query is judged in one of them.
    """
    names = np.asarray(collections)
    single = np.array([len(arm) == 1 for arm in arms])
    judged_scores = np.zeros_like(scores[0])
    systems: Systems = {name: np.zeros(len(names), dtype=np.intp) for name in _learned_systems(single)}
    right = np.zeros(len(names), dtype=np.bool_)
    rules = []
    for split, known in zip(splits, scores, strict=True):
        judged = split.judged
        judged_scores[judged] = known[judged]
        table = ArmTable(vectors, known, tuple(arms), tuple(collections)).at(split.learned)
        router = learned_router(table, rule=routing.rule, similarity=routing.similarity, seed=routing.seed)
        systems[ROUTER][judged] = router.columns(vectors[judged])
        right[judged] = np.asarray(router.source_of(vectors[judged])) == names[judged]
        rules.append(router.rule)
        means = _means(known[split.learned], names[split.learned]).mean(axis=0)
        systems[BEST_SINGLE][judged] = _best(means, single)
        if not single.all():
            alone = table.of([arm for arm in arms if len(arm) == 1])
            only = learned_router(alone, rule=routing.rule, similarity=routing.similarity, seed=routing.seed)
            systems[ROUTER_SINGLE][judged] = np.flatnonzero(single)[only.columns(vectors[judged])]
            systems[BEST_FUSION][judged] = _best(means, ~single)
    return Routed(
        columns=systems | _oracles(judged_scores, names, single),
        scores=judged_scores,
        arms=tuple(arms),
        right_collection=right,
        rules=tuple(dict.fromkeys(rules)),
    )


def _learned_systems(single: Flags) -> tuple[str, ...]:
    return (ROUTER, BEST_SINGLE) if single.all() else (ROUTER, ROUTER_SINGLE, BEST_SINGLE, BEST_FUSION)


def _oracles(scores: Reals, names: np.ndarray[tuple[int], np.dtype[np.str_]], single: Flags) -> Systems:
    alone = np.where(single, scores, -np.inf)
    means = _means(alone, names)
    of_collection = dict(zip(np.unique(names), means.argmax(axis=1), strict=True))
    n = len(names)
    oracles: Systems = {
        HINDSIGHT: np.full(n, means.mean(axis=0).argmax(), dtype=np.intp),
        DATASET_ORACLE: np.array([of_collection[name] for name in names], dtype=np.intp),
        INSTANCE_ORACLE: alone.argmax(axis=1),
    }
    return oracles if single.all() else {**oracles, INSTANCE_ORACLE_FUSED: scores.argmax(axis=1)}


def _best(means: Reals, among: Flags) -> int:
    return int(np.where(among, means, -np.inf).argmax())


def _means(scores: Reals, names: np.ndarray[tuple[int], np.dtype[np.str_]]) -> Reals:
    """[n_collections, n_arms], collections sorted by name."""
    return np.stack([scores[names == name].mean(axis=0) for name in np.unique(names)])
