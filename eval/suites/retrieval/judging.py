"""What every way of searching is judged by: the same queries, folds, vectors and resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.metrics.arrays import IntArray, Reals
from eval.splits import folds_of, text_folds
from eval.suites.retrieval.adapted import Adapted, Adapting
from eval.suites.retrieval.collection import Collection
from eval.suites.retrieval.figures import figures_of, per_query
from eval.suites.retrieval.routing import Routed, Routing, route_queries
from eval.suites.retrieval.search import Retrievers, Search, merged_documents
from routers.embedding import Embedder
from routers.retrievers.arms import Arm, arm_name, arms_of

__all__ = ["Judged", "Judging", "Pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What the router may choose from.

    retrievers: at least one. adapt: of one of them, whose vectors get an adapter a collection in the merged index.
    fuse: two of different ways of searching with their scores added, too.
    """

    retrievers: Retrievers
    adapt: str | None = None
    fuse: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was found in one way of searching, where each query went, and nDCG@10 by system, [n] each.

    scores: of the arms in each split, which routers learn from. notes: on what was trained.
    """

    search: Search
    routed: Routed
    values: dict[str, Reals]
    scores: tuple[Reals, ...]
    notes: tuple[str, ...] = ()


class Judging:
    """Of some collections; raises DataError for too few queries for so many folds."""

    def __init__(
        self, collections: Sequence[Collection], *, embedder: Embedder, folds: int, seed: int, routing: Routing
    ) -> None:
        records = [record for collection in collections for record in collection.queries]
        sizes = [len(collection.queries) for collection in collections]
        self.names = [collection.name for collection in collections]
        self.n = len(records)
        self.groups: IntArray = np.repeat(np.arange(len(sizes)), sizes)
        self._collections = collections
        self._splits = list(folds_of(records, folds=folds, seed=seed))
        self._queries = [record.query for record in records]
        self._fold = text_folds(self._queries, folds=folds, seed=seed)
        self._vectors = embedder.embed(self._queries)
        self._seed, self._routing = seed, routing

    def searches(self, retrievers: int, *, merged: bool, adapted: bool) -> int:
        """How often `tick` is called."""
        return self.n * retrievers * (2 if merged else 1) + adapted * len(self._splits) * len(self.names)

    def judged(self, search: Search, *, fuse: bool) -> Judged:
        """Route every query between what the retrievers found."""
        arms = arms_of(search.retrievers, fuse=fuse)
        scores = np.stack([search.ndcg10(arm) for arm in arms], axis=1)
        return self.routed(search, arms, [scores] * len(self._splits))

    def judged_merged(self, search: Search, pool: Pool, *, tick: Callable[[], None]) -> Judged:
        """The same in the merged index, with adapters where the pool has them."""
        embedder = pool.retrievers[pool.adapt] if pool.adapt is not None else None
        if pool.adapt is None or embedder is None:
            return self.judged(search, fuse=pool.fuse)
        ids, texts = merged_documents(self._collections)
        adapting = Adapting(
            pool.adapt,
            ids=ids,
            documents=embedder.embed(texts),
            queries=embedder.embed(self._queries),
            search=search,
            negatives=next((name for name, found in pool.retrievers.items() if found is None), None),
            groups=self.groups,
            collections=self.names,
            fold=self._fold,
            seed=self._seed,
        )
        families = dict.fromkeys(adapting.names, pool.adapt)
        arms = arms_of([*search.retrievers, *adapting.names], families=families, fuse=pool.fuse)
        static = {arm: search.ndcg10(arm) for arm in arms if not set(arm).intersection(adapting.names)}
        trained = [adapting.adapted(split, tick=tick) for split in self._splits]
        scores = [
            np.stack([static[arm] if arm in static else search.ndcg10(arm, one.hits) for arm in arms], axis=1)
            for one in trained
        ]
        return self.routed(search, arms, scores, notes=_training(trained, adapting.names))

    def routed(
        self, search: Search, arms: Sequence[Arm], scores: Sequence[Reals], *, notes: Sequence[str] = ()
    ) -> Judged:
        """Route every query between arms. scores: [n, n_arms] in each split."""
        routed = route_queries(
            scores,
            self._vectors,
            arms=arms,
            collections=[self.names[group] for group in self.groups],
            splits=self._splits,
            routing=self._routing,
        )
        own = {arm_name(arm): routed.scores[:, column] for column, arm in enumerate(routed.arms)}
        chosen = f"the router chose by {', '.join(routed.rules)}" if self._routing.rule == "auto" else ""
        said = (*notes, chosen) if chosen else tuple(notes)
        return Judged(search, routed, own | routed.values(), tuple(scores), said)

    def figures(self, values: Mapping[str, Reals]) -> dict[str, Any]:
        """As `figures_of`."""
        return figures_of(values, self.groups, collections=self.names, seed=self._seed)

    def per_query(self, values: Mapping[str, Reals], *, prefix: str = "") -> dict[str, Reals]:
        """As `figures.per_query`."""
        return per_query(values, self.groups, collections=self.names, prefix=prefix)

    @property
    def seed(self) -> int:
        """Of folds and resamples."""
        return self._seed


def _training(trained: Sequence[Adapted], names: Sequence[str]) -> list[str]:
    """How training went, an adapter a line."""
    notes = []
    for name in names:
        fitted = [one.fitted[name] for one in trained if name in one.fitted]
        if not fitted:
            continue
        plain, adapted = (
            np.concatenate([getattr(one, which) for one in fitted]).mean() for which in ("plain", "adapted")
        )
        steps = ", ".join(str(one.steps) for one in fitted)
        notes.append(f"{name}: {plain:.3f} to {adapted:.3f} on the inner folds; steps by split {steps}")
    return notes
