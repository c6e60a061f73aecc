"""Retrievers that the run trains itself: one adapter a collection on the queries' side, in the merged index.

Trained once a split, on the queries that are learned from; what those queries themselves are scored by has not seen
them either, or routers would learn that every adapter is better than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import IntArray, Reals
from eval.splits import Split
from eval.suites.retrieval.search import COUNTED, Hits, Search
from routers.embedding import FloatArray
from routers.retrievers.adapter import Judged
from routers.retrievers.arms import DEPTH
from routers.retrievers.fitting import Fitted, fitted_adapter
from routers.retrievers.gain import ndcg

__all__ = ["Adapted", "Adapting", "adapter_name"]

HARD = 20
"""Of what the word index found for a query, how many documents it is told apart from."""

AT_ONCE = 256
"""Queries of one matrix product."""


def adapter_name(base: str, collection: str) -> str:
    """`minilm:cran`."""
    return f"{base}:{collection}"


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """The adapters of one split. hits: by name, of every query. fitted: how training went, by name."""

    hits: dict[str, list[Hits]]
    fitted: dict[str, Fitted]


class Adapting:
    """Trains and searches in one index. base: the name of the retriever whose vectors these are.

    ids, documents: of the index, [n_documents] and float32 [n_documents, dim]. groups: the collection of each query by
    number. fold: of each query. search: what other retrievers found; `negatives` names the one whose hits are hard.
    """

    def __init__(
        self,
        base: str,
        *,
        ids: Sequence[str],
        documents: FloatArray,
        queries: FloatArray,
        search: Search,
        negatives: str | None,
        groups: IntArray,
        collections: Sequence[str],
        fold: IntArray,
        seed: int,
    ) -> None:
        self.names = tuple(adapter_name(base, collection) for collection in collections)
        self._ids, self._documents, self._queries = ids, documents, queries
        self._relevance, self._groups, self._fold, self._seed = search.relevance, groups, fold, seed
        place = {document: row for row, document in enumerate(ids)}
        self._relevant = [
            [place[document] for document, grade in relevant.items() if grade > 0] for relevant in search.relevance
        ]
        hard = search.hits[negatives] if negatives is not None else [[] for _ in search.relevance]
        self._negatives = [
            [place[document] for document, _ in hits[:HARD] if relevant.get(document, 0) <= 0]
            for hits, relevant in zip(hard, search.relevance, strict=True)
        ]

    def adapted(self, split: Split, *, tick: Callable[[], None]) -> Adapted:
        """Train on the queries of a split that are learned from."""
        hits: dict[str, list[Hits]] = {}
        fitted: dict[str, Fitted] = {}
        for group, name in enumerate(self.names):
            own = split.learned[self._groups[split.learned] == group]
            vectors = self._queries.copy()
            if len(own):
                fitted[name] = found = self._fitted(own)
                vectors = found.adapter.applied(vectors) if found.kept else vectors
                vectors[own] = found.held_out
            hits[name] = self._hits(vectors)
            tick()
        return Adapted(hits, fitted)

    def _fitted(self, rows: IntArray) -> Fitted:
        judged = Judged(
            self._queries[rows], [self._relevant[row] for row in rows], [self._negatives[row] for row in rows]
        )

        def gain(vectors: FloatArray, of: IntArray) -> Reals:
            found = self._hits(vectors, depth=COUNTED)
            return np.array(
                [
                    ndcg([document for document, _ in hits], self._relevance[row], k=COUNTED)
                    for hits, row in zip(found, rows[of], strict=True)
                ]
            )

        return fitted_adapter(judged, self._documents, gain=gain, fold=self._fold[rows], seed=self._seed)

    def _hits(self, vectors: FloatArray, *, depth: int = DEPTH) -> list[Hits]:
        """Exact search by cosine; of equal scores the first document."""
        found: list[Hits] = []
        depth = min(depth, len(self._ids))
        for start in range(0, len(vectors), AT_ONCE):
            scores = vectors[start : start + AT_ONCE] @ self._documents.T
            best = np.sort(np.argpartition(-scores, depth - 1, axis=1)[:, :depth], axis=1)
            values = np.take_along_axis(scores, best, axis=1)
            order = np.argsort(-values, axis=1, kind="stable")
            found += [
                [(self._ids[row[place]], float(value[place])) for place in places]
                for row, value, places in zip(best, values, order, strict=True)
            ]
        return found
