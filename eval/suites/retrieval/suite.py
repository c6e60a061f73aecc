"""How well documents are found, by each retriever and by a router between them, in collections of their own or merged.

After RouterRetriever (arXiv 2409.02685), whose experts are retrievers and whose oracles know the best of them for each
collection or for each query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from eval.datasets import DataError, Dataset
from eval.findings import Findings, PerQuery
from eval.metrics import Figure, share
from eval.runs import describe, notes_of, query_ids
from eval.suites.retrieval.change import changed
from eval.suites.retrieval.collection import Collection, collections_of
from eval.suites.retrieval.judging import Judged, Judging, Pool
from eval.suites.retrieval.parts import heat_map, slices
from eval.suites.retrieval.routing import (
    BEST_FUSION,
    BEST_SINGLE,
    DATASET_ORACLE,
    HINDSIGHT,
    INSTANCE_ORACLE,
    INSTANCE_ORACLE_FUSED,
    ROUTER,
    ROUTER_SINGLE,
    Routing,
)
from eval.suites.retrieval.search import Retrievers, search_merged, search_separate
from routers.embedding import Embedder
from routers.retrievers.arms import SEPARATOR

__all__ = ["COLLECTION_FIRST", "RESERVED", "Pool", "judge_retrieval"]

COLLECTION_FIRST = "collection_first"
"""Beside the merged index: the router chooses the collection too, and only that one is searched."""

RESERVED = frozenset(
    {ROUTER, ROUTER_SINGLE, BEST_SINGLE, BEST_FUSION, HINDSIGHT, COLLECTION_FIRST}
    | {DATASET_ORACLE, INSTANCE_ORACLE, INSTANCE_ORACLE_FUSED}
)
"""Names of figures, so no retriever is called so."""

Progress: TypeAlias = Callable[[str, int, int], None]


def judge_retrieval(
    datasets: Sequence[Dataset],
    retrievers: Retrievers | Pool,
    *,
    embedder: Embedder,
    merged: bool = False,
    folds: int = 5,
    seed: int = 0,
    routing: Routing | None = None,
    without: Sequence[str] = (),
    progress: Progress,
) -> Findings:
    """Search every query with every retriever, and route it by what was learned on the other folds' queries.

    embedder: of the queries, for the router. merged: search one index of all collections as well. without: retrievers
    whose coming or going is told: who gains and loses by them, in the index that is judged last.

    Raises:
        DataError: sets without documents or judgements, or too few queries for so many folds.
    """
    pool = retrievers if isinstance(retrievers, Pool) else Pool(retrievers=retrievers)
    routing = replace(routing or Routing(), seed=seed)
    _check_pool(pool, merged=merged)
    collections = collections_of(datasets)
    judging = Judging(collections, embedder=embedder, folds=folds, seed=seed, routing=routing)
    tick = _counting(progress, judging.searches(len(pool.retrievers), merged=merged, adapted=pool.adapt is not None))
    alone = judging.judged(search_separate(collections, pool.retrievers, tick=tick), fuse=pool.fuse)
    right = alone.routed.right_collection
    figures = {**judging.figures(alone.values), "collection_accuracy": share(int(right.sum()), judging.n)}
    queries = {**judging.per_query(alone.values), "collection_accuracy": right.astype(np.float64)}
    last = alone
    if merged:
        last = judging.judged_merged(search_merged(collections, pool.retrievers, tick=tick), pool, tick=tick)
        values = {**last.values, COLLECTION_FIRST: np.where(right, alone.values[ROUTER], 0.0)}
        figures["merged"] = judging.figures(values)
        queries |= judging.per_query(values, prefix="merged.")
    impact = changed(last, judging, without=without)
    if impact.gain_by:
        figures["gain_by"] = impact.gain_by
    return Findings(
        suite="retrieval",
        run=describe(
            datasets,
            seed=seed,
            folds=folds,
            rule=routing.rule,
            similarity=routing.similarity,
            merged=merged,
            fuse=pool.fuse or None,
            adapt=pool.adapt,
            experts={name: None if found is None else found.fingerprint for name, found in pool.retrievers.items()},
            embedder=embedder.fingerprint,
        ),
        figures=figures,
        parts=_parts(collections, alone, figures["ndcg10"]),
        queries=PerQuery(ids=query_ids([collection.judged for collection in collections]), values=queries),
        notes=(*notes_of(datasets), *_notes(collections, pool.retrievers), *last.notes, *impact.notes),
    )


def _parts(collections: Sequence[Collection], judged: Judged, ndcg10: Mapping[str, Mapping[str, Figure]]) -> Any:
    names = [collection.name for collection in collections]
    sent_to = [judged.routed.arms[column] for column in judged.routed.columns[ROUTER]]
    return {
        "heat_map": heat_map(ndcg10, collections=names, systems=(*judged.search.retrievers, ROUTER)),
        "slices": slices(collections, judged.search, values=judged.values, sent_to=sent_to, ndcg10=ndcg10),
    }


def _counting(progress: Progress, total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress("searching", done, total)

    return tick


def _check_pool(pool: Pool, *, merged: bool) -> None:
    problems = [
        f"no retriever can be called {name!r}, which is a figure's name" for name in pool.retrievers if name in RESERVED
    ]
    problems += [
        f"no retriever can be called {name!r}: {SEPARATOR!r} stands for two" for name in pool.retrievers if "+" in name
    ]
    if not pool.retrievers:
        problems.append("there is no retriever to search with; name some with --experts, as bm25,minilm")
    if pool.adapt is not None and not merged:
        problems.append("adapters are judged in one index of all collections; add --merged")
    if pool.adapt is not None and pool.retrievers.get(pool.adapt) is None:
        problems.append(f"{pool.adapt!r} is no embedder among the experts, so its queries cannot be adapted")
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
