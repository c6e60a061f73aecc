"""How good one ranking of documents is. Knows ids and grades."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["check_unique", "ndcg"]


def ndcg(ranked: Sequence[str], relevance: Mapping[str, float], *, k: int = 10) -> float:
    """Normalised discounted cumulative gain at k with linear gain, as trec_eval's ndcg_cut, 0 to 1.

    Sum over ranks i <= k of rel_i / log2(i + 1), over the same sum of the best possible ranking (Järvelin and
    Kekäläinen 2002). Documents without a judgement count 0; NaN where nothing is relevant. Raises ValueError for a
    document ranked twice.
    """
    check_unique(ranked)
    ideal = _gain(sorted(relevance.values(), reverse=True)[:k])
    if ideal <= 0:
        return math.nan
    return _gain([relevance.get(document, 0.0) for document in ranked[:k]]) / ideal


def check_unique(ranked: Sequence[str]) -> None:
    """Raise ValueError for a document ranked twice, as by two indexes that overlap: it would be paid twice."""
    if len(set(ranked)) != len(ranked):
        twice = next(document for position, document in enumerate(ranked) if document in ranked[:position])
        message = f"{twice!r} is ranked twice"
        raise ValueError(message)


def _gain(grades: Sequence[float]) -> float:
    return math.fsum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))
