"""Which retriever each query goes to: by pilots learned on other queries, by the best single one, by the oracles.

Knows vectors and scores, no documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Reals
from eval.splits import Split
from routers.embedding import FloatArray
from routers.pilots import PilotLibrary, Rule, Similarity, learn_pilots

__all__ = ["BEST_SINGLE", "DATASET_ORACLE", "INSTANCE_ORACLE", "ROUTER", "Routed", "route_queries"]

ROUTER = "router"
BEST_SINGLE = "best_single"
DATASET_ORACLE = "dataset_oracle"
INSTANCE_ORACLE = "instance_oracle"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Routed:
    """Where each query went: columns of the retrievers, [n] each.

    router: by pilots of the other folds. best_single: the retriever with the best mean over collections in the other
    folds. dataset_oracle: the best of each collection, instance_oracle: the best of each query; both know the answers.
    right_collection: whether the pilots chose the collection that the query is from.
    """

    router: IntArray
    best_single: IntArray
    dataset_oracle: IntArray
    instance_oracle: IntArray
    right_collection: Flags

    def columns(self) -> Mapping[str, IntArray]:
        """By the names that the figures have."""
        return {
            ROUTER: self.router,
            BEST_SINGLE: self.best_single,
            DATASET_ORACLE: self.dataset_oracle,
            INSTANCE_ORACLE: self.instance_oracle,
        }


def route_queries(
    scores: Reals,
    vectors: FloatArray,
    *,
    retrievers: Sequence[str],
    collections: Sequence[str],
    splits: Sequence[Split],
    rule: Rule,
    similarity: Similarity,
) -> Routed:
    """Route every query once.

    scores: [n, n_retrievers]. vectors: of the queries, float32 [n, dim]. collections: where each is from, [n].
    splits: every query is judged in one of them.

    Raises:
        TrainingError: there are too few queries to learn pilots from.
    """
    n = len(scores)
    names = np.asarray(collections)
    router, single = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    right = np.zeros(n, dtype=np.bool_)
    for split in splits:
        learned, judged = split.learned, split.judged
        library = PilotLibrary(
            pilots=learn_pilots(vectors[learned], scores[learned], experts=retrievers, sources=names[learned].tolist()),
            rule=rule,
            similarity=similarity,
        )
        router[judged] = [retrievers.index(name) for name in library.route(vectors[judged])]
        right[judged] = np.asarray(library.source_of(vectors[judged])) == names[judged]
        single[judged] = _means(scores[learned], names[learned]).mean(axis=0).argmax()
    of_collection = dict(zip(np.unique(names), _means(scores, names).argmax(axis=1), strict=True))
    return Routed(
        router=router,
        best_single=single,
        dataset_oracle=np.array([of_collection[name] for name in names], dtype=np.intp),
        instance_oracle=scores.argmax(axis=1),
        right_collection=right,
    )


def _means(scores: Reals, names: np.ndarray[tuple[int], np.dtype[np.str_]]) -> Reals:
    """[n_collections, n_retrievers], collections sorted by name."""
    return np.stack([scores[names == name].mean(axis=0) for name in np.unique(names)])
