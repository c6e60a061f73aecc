"""How good one ranking is, of documents or of tools, against judgements of relevance. Knows ids and grades.

One query at a time; the mean over queries and its interval is `Resampling.mean`. A query without anything relevant has
no score (NaN): leave it out and count it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from routers.retrievers.gain import check_unique, ndcg

__all__ = ["ndcg", "recall", "reciprocal_rank"]


def recall(ranked: Sequence[str], relevance: Mapping[str, float], *, k: int) -> float:
    """The share of the relevant (grade above 0) that stands among the first k, 0 to 1."""
    check_unique(ranked)
    relevant = {document for document, grade in relevance.items() if grade > 0}
    return len(relevant.intersection(ranked[:k])) / len(relevant) if relevant else math.nan


def reciprocal_rank(ranked: Sequence[str], relevance: Mapping[str, float], *, k: int | None = None) -> float:
    """1 / rank of the first relevant one, 0 where none is among the first k (None: anywhere)."""
    check_unique(ranked)
    if not any(grade > 0 for grade in relevance.values()):
        return math.nan
    hits = (1 / rank for rank, document in enumerate(ranked[:k], start=1) if relevance.get(document, 0.0) > 0)
    return next(hits, 0.0)
