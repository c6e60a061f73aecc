"""What a query can be sent to: one retriever, or two of them with their scores added. Knows names and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import fsum
from typing import TypeAlias

__all__ = ["DEPTH", "SEPARATOR", "Arm", "arm_name", "arms_of", "blended"]

Arm: TypeAlias = tuple[str, ...]
"""The retrievers that are asked: one, or two in the order of their names."""

SEPARATOR = "+"
DEPTH = 100
"""Hits of each of two retrievers that blending sees."""


def arm_name(arm: Arm) -> str:
    """`bm25+minilm` of two."""
    return SEPARATOR.join(arm)


def arms_of(experts: Iterable[str], *, families: Mapping[str, str] | None = None, fuse: bool = True) -> tuple[Arm, ...]:
    """Each retriever, and where they may be fused every two that search in different ways.

    families: how each searches (its index); retrievers of one family find nearly the same. Default: each its own.
    """
    names = sorted(set(experts))
    family = {name: (families or {}).get(name, name) for name in names}
    pairs = (pair for pair in combinations(names, 2) if family[pair[0]] != family[pair[1]])
    return (*((name,) for name in names), *(pairs if fuse else ()))


def blended(lists: Sequence[Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Several lists of (document, score), best first, as one: scores from 0 to 1 within each list, then their mean.

    Convex combination of min-max scaled scores, which beats fusion by ranks (Bruch, Gai and Ingber, TOIS 2023); equal
    weights, as there is nothing to fit. The last of a list counts 0, as what is not in it does. Equal ones stand by
    document. A single list keeps its own order and scores.
    """
    if len(lists) == 1:
        return list(lists[0])
    shares: dict[str, list[float]] = {}
    for hits in lists:
        if not hits:
            continue
        top, bottom = max(score for _, score in hits), min(score for _, score in hits)
        spread = (top - bottom) or 1.0
        for document, score in hits:
            scaled = (score - bottom) / spread if top > bottom else 1.0
            shares.setdefault(document, []).append(scaled / len(lists))
    return sorted(((d, fsum(terms)) for d, terms in shares.items()), key=lambda hit: (-hit[1], hit[0]))
