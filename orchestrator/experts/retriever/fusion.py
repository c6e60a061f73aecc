"""Makes one ranking of several. Knows items by their numbers, and no scores: those of two indexes do not compare."""

from collections import defaultdict
from collections.abc import Sequence
from math import fsum

__all__ = ["fused"]


def fused(rankings: Sequence[Sequence[int]], *, k: float = 60.0) -> list[tuple[int, float]]:
    """Items with their fused scores, best first, by reciprocal rank fusion.

    An item's score is the sum of 1 / (k + rank) over the rankings that name it, ranks from 1 (Cormack, Clarke and
    Buettcher, SIGIR 2009, where k = 60). Each ranking is best first and names an item at most once. Equal scores
    stand in the order of the items' numbers, so the order of the rankings does not matter.
    """
    shares: defaultdict[int, list[float]] = defaultdict(list)
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            shares[item].append(1.0 / (k + rank))
    # fsum rounds once, whatever the order of its terms.
    scores = [(item, fsum(terms)) for item, terms in shares.items()]
    return sorted(scores, key=lambda scored: (-scored[1], scored[0]))
