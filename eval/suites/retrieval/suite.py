"""How well documents are found, by each retriever and by a router between them, in collections of their own or merged.

After RouterRetriever (arXiv 2409.02685), whose experts are retrievers and whose oracles know the best of them for each
collection or for each query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from eval.datasets import DataError, Dataset
from eval.findings import Findings, PerQuery
from eval.metrics import Figure, share
from eval.metrics.arrays import IntArray, Reals
from eval.runs import describe, notes_of, query_ids
from eval.splits import folds_of
from eval.suites.retrieval.collection import Collection, collections_of
from eval.suites.retrieval.figures import figures_of, per_query
from eval.suites.retrieval.parts import heat_map, slices
from eval.suites.retrieval.routing import (
    BEST_SINGLE,
    DATASET_ORACLE,
    INSTANCE_ORACLE,
    ROUTER,
    Routed,
    route_queries,
)
from eval.suites.retrieval.search import Retrievers, Search, search_merged, search_separate
from routers.embedding import Embedder
from routers.pilots import Rule, Similarity

__all__ = ["COLLECTION_FIRST", "RESERVED", "judge_retrieval"]

COLLECTION_FIRST = "collection_first"
"""Beside the merged index: the router chooses the collection too, and only that one is searched."""

RESERVED = frozenset({ROUTER, BEST_SINGLE, DATASET_ORACLE, INSTANCE_ORACLE, COLLECTION_FIRST})
"""Names of figures, so no retriever is called so."""

Progress: TypeAlias = Callable[[str, int, int], None]


def judge_retrieval(
    datasets: Sequence[Dataset],
    retrievers: Retrievers,
    *,
    embedder: Embedder,
    merged: bool = False,
    folds: int = 5,
    seed: int = 0,
    rule: Rule = "mean",
    similarity: Similarity = "dot",
    progress: Progress,
) -> Findings:
    """Search every query with every retriever, and route it by pilots learned on the other folds' queries.

    retrievers: those to choose from, at least one. embedder: of the queries, for the pilots. merged: search one index
    of all collections as well. rule, similarity: of the pilots; see `routers.pilots`.

    Raises:
        DataError: sets without documents or judgements, or too few queries for so many folds.
    """
    _check_names(retrievers)
    collections = collections_of(datasets)
    judging = _Judging(collections, embedder=embedder, folds=folds, seed=seed, rule=rule, similarity=similarity)
    tick = _counting(progress, judging.n * len(retrievers) * (2 if merged else 1))
    alone = judging.judged(search_separate(collections, retrievers, tick=tick))
    right = alone.routed.right_collection
    figures = {**judging.figures(alone.values), "collection_accuracy": share(int(right.sum()), judging.n)}
    queries = {**judging.per_query(alone.values), "collection_accuracy": right.astype(np.float64)}
    if merged:
        values = judging.judged(search_merged(collections, retrievers, tick=tick)).values
        values[COLLECTION_FIRST] = np.where(right, alone.values[ROUTER], 0.0)
        figures["merged"] = judging.figures(values)
        queries |= judging.per_query(values, prefix="merged.")
    return Findings(
        suite="retrieval",
        run=describe(
            datasets,
            seed=seed,
            folds=folds,
            rule=rule,
            similarity=similarity,
            merged=merged,
            experts={name: None if found is None else found.fingerprint for name, found in retrievers.items()},
            embedder=embedder.fingerprint,
        ),
        figures=figures,
        parts=_parts(collections, alone, figures["ndcg10"]),
        queries=PerQuery(ids=query_ids([collection.judged for collection in collections]), values=queries),
        notes=(*notes_of(datasets), *_notes(collections, retrievers)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What was found in one way of searching, where each query went, and nDCG@10 by system, [n] each."""

    search: Search
    routed: Routed
    values: dict[str, Reals]


class _Judging:
    """What both ways of searching are judged by: the same queries, folds, vectors and resamples."""

    def __init__(
        self,
        collections: Sequence[Collection],
        *,
        embedder: Embedder,
        folds: int,
        seed: int,
        rule: Rule,
        similarity: Similarity,
    ) -> None:
        records = [record for collection in collections for record in collection.queries]
        sizes = [len(collection.queries) for collection in collections]
        self.names = [collection.name for collection in collections]
        self.n = len(records)
        self._groups: IntArray = np.repeat(np.arange(len(sizes)), sizes)
        self._splits = list(folds_of(records, folds=folds, seed=seed))
        self._vectors = embedder.embed([record.query for record in records])
        self._seed, self._rule, self._similarity = seed, rule, similarity

    def judged(self, search: Search) -> _Judged:
        """Route every query between what the retrievers found."""
        routed = route_queries(
            search.scores,
            self._vectors,
            retrievers=search.retrievers,
            collections=[self.names[group] for group in self._groups],
            splits=self._splits,
            rule=self._rule,
            similarity=self._similarity,
        )
        rows = np.arange(self.n)
        values = {name: search.scores[:, column] for column, name in enumerate(search.retrievers)}
        chosen = {name: search.scores[rows, columns] for name, columns in routed.columns().items()}
        return _Judged(search, routed, values | chosen)

    def figures(self, values: dict[str, Reals]) -> dict[str, Any]:
        """As `figures_of`."""
        return figures_of(values, self._groups, collections=self.names, seed=self._seed)

    def per_query(self, values: dict[str, Reals], *, prefix: str = "") -> dict[str, Reals]:
        """As `figures.per_query`."""
        return per_query(values, self._groups, collections=self.names, prefix=prefix)


def _parts(collections: Sequence[Collection], judged: _Judged, ndcg10: Mapping[str, Mapping[str, Figure]]) -> Any:
    retrievers = judged.search.retrievers
    names = [collection.name for collection in collections]
    sent_to = [retrievers[column] for column in judged.routed.router]
    return {
        "heat_map": heat_map(ndcg10, collections=names, systems=(*retrievers, ROUTER)),
        "slices": slices(collections, judged.search, values=judged.values, sent_to=sent_to, ndcg10=ndcg10),
    }


def _counting(progress: Progress, total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress("searching", done, total)

    return tick


def _check_names(retrievers: Retrievers) -> None:
    problems = [
        f"no retriever can be called {name!r}, which is a figure's name" for name in retrievers if name in RESERVED
    ]
    if not retrievers:
        problems.append("there is no retriever to search with; name some with --experts, as bm25,minilm")
    if problems:
        raise DataError(problems)


def _notes(collections: Sequence[Collection], retrievers: Retrievers) -> list[str]:
    notes = [
        f"{collection.dataset.name}: {collection.left_out} queries left out, which have no relevant document"
        for collection in collections
        if collection.left_out
    ]
    if len(retrievers) == 1:
        notes.append("there is one retriever, so there is nothing to route: router and oracles are that one")
    return notes
