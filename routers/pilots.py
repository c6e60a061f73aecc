"""Routing by pilots: centroids of queries, each kept for the expert that was best on them. Knows vectors and scores.

RouterRetriever (arXiv 2409.02685, algorithm 1): the queries of a source (a category, a collection) are grouped by the
expert that scored best on them, each group leaves a centroid, and a new query goes to the expert whose centroids are
most like it. Nothing is fitted, so experts come and go without training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from routers.calibrate import IntArray, Probabilities
from routers.classify.protocol import State
from routers.embedding.protocol import FloatArray
from routers.errors import TrainingError

__all__ = ["Pilot", "PilotLibrary", "Rule", "Similarity", "learn_pilots"]

Rule: TypeAlias = Literal["mean", "nearest", "weighted"]
"""How similarities to several pilots become one: their mean (the paper), the largest (its released code), or the mean
weighted by the share of its source that each pilot stands for (ours): a pilot counts by how far the label of its source
names it too, so an expert is not held back by sources in which it rarely wins."""

Similarity: TypeAlias = Literal["dot", "cosine"]
"""Of a query to a centroid, which is the mean of unit vectors and therefore shorter the more they differ."""

CENTROIDS = "centroids"
ROUNDS = 50
"""Of k-means, at most; it settles long before on groups of this kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Pilot:
    """What the queries of `source` that `expert` won have in common: their centroid [dim], and how many they are."""

    source: str
    expert: str
    centroid: FloatArray
    count: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PilotLibrary:
    """Pilots, kept by source, expert and then centroid, so the order in which they came does not matter.

    Raises:
        ValueError: no pilots, vectors of several lengths or with numbers that are not finite, or an unknown rule.
    """

    pilots: tuple[Pilot, ...]
    rule: Rule = "mean"
    similarity: Similarity = "dot"
    _centroids: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule) or self.similarity not in get_args(Similarity):
            raise ValueError(f"no rule {self.rule!r} with similarity {self.similarity!r}")
        if not self.pilots:
            raise ValueError("a library needs pilots")
        ordered = sorted(self.pilots, key=lambda pilot: (pilot.source, pilot.expert, pilot.centroid.tolist()))
        centroids = np.stack([pilot.centroid for pilot in ordered]).astype(np.float32)
        if centroids.ndim != 2 or not np.isfinite(centroids).all() or min(pilot.count for pilot in ordered) < 1:  # noqa: PLR2004 - pilots by numbers
            raise ValueError("pilots need finite vectors and at least one query each")
        object.__setattr__(self, "pilots", tuple(ordered))
        object.__setattr__(self, "_centroids", centroids)

    @property
    def experts(self) -> tuple[str, ...]:
        """Those with pilots, sorted: the columns of `expert_scores`."""
        return tuple(sorted({pilot.expert for pilot in self.pilots}))

    @property
    def sources(self) -> tuple[str, ...]:
        """Those with pilots, sorted: the columns of `source_scores`."""
        return tuple(sorted({pilot.source for pilot in self.pilots}))

    def route(self, vectors: FloatArray) -> list[str]:
        """The expert for each query, float32 [n, dim]; of equal ones the first by name."""
        return [self.experts[column] for column in self.expert_scores(vectors).argmax(axis=1)]

    def source_of(self, vectors: FloatArray) -> list[str]:
        """The source that each query, float32 [n, dim], looks like by the same rule."""
        return [self.sources[column] for column in self.source_scores(vectors).argmax(axis=1)]

    def expert_scores(self, vectors: FloatArray) -> Probabilities:
        """float64 [n, n_experts]: how much each query, float32 [n, dim], is like what each expert was best on."""
        return self._scores(vectors, [pilot.expert for pilot in self.pilots], self.experts)

    def source_scores(self, vectors: FloatArray) -> Probabilities:
        """float64 [n, n_sources]: how much each query, float32 [n, dim], is like those of each source."""
        return self._scores(vectors, [pilot.source for pilot in self.pilots], self.sources)

    def source_parts(self, vector: FloatArray) -> tuple[Probabilities, Probabilities]:
        """What each pilot adds to its source's score of one query, float32 [dim], and its similarity to it.

        Both float64 [n_pilots]; by the rule `nearest` one pilot of a source adds all and the others nothing.
        """
        (alike,) = self._alike(vector[None])
        owners = np.array([self.sources.index(pilot.source) for pilot in self.pilots])
        if self.rule == "nearest":
            counts = np.zeros(len(alike))
            for owner in np.unique(owners):
                here = np.flatnonzero(owners == owner)
                counts[here[alike[here].argmax()]] = 1.0
            return counts * alike, alike
        weights = self._weights()
        return alike * weights / np.bincount(owners, weights=weights)[owners], alike

    def likeness(self, vectors: FloatArray) -> Probabilities:
        """Cosine of each query, float32 [n, dim], to the pilot nearest to it: float64 [n]."""
        nearest: Probabilities = (_unit(vectors.astype(np.float64)) @ _unit(self._centroids.astype(np.float64)).T).max(
            1
        )
        return nearest

    def added(self, pilots: Iterable[Pilot]) -> Self:
        """The library with one or more experts more; raises ValueError for one that it has already.

        The new pilots are learned from scores of all experts; queries that an older expert had won stay with its
        pilots too, until the whole library is learned anew.
        """
        pilots = tuple(pilots)
        known = sorted({pilot.expert for pilot in pilots}.intersection(self.experts))
        if known:
            raise ValueError(f"the library has pilots of {', '.join(map(repr, known))}; take them out first")
        return replace(self, pilots=(*self.pilots, *pilots))

    def without(self, expert: str) -> Self:
        """The library without one expert; raises ValueError where it has no such pilots, or no others."""
        if expert not in self.experts:
            raise ValueError(f"the library has no pilots of {expert!r}")
        return replace(self, pilots=tuple(pilot for pilot in self.pilots if pilot.expert != expert))

    def as_dict(self) -> dict[str, Any]:
        """As JSON, all but the centroids, which are `state`."""
        rows = [{"source": pilot.source, "expert": pilot.expert, "count": pilot.count} for pilot in self.pilots]
        return {"rule": self.rule, "similarity": self.similarity, "pilots": rows}

    def state(self) -> State:
        """`centroids` float32 [n_pilots, dim], in the order of `as_dict`."""
        return {CENTROIDS: self._centroids}

    @classmethod
    def restored(cls, stored: Mapping[str, Any], state: State) -> Self:
        """The inverse of `as_dict` and `state`; raises ValueError, KeyError or TypeError where they do not fit."""
        rows = stored["pilots"]
        if set(state) != {CENTROIDS} or len(state[CENTROIDS]) != len(rows):
            raise ValueError(f"expected one tensor {CENTROIDS!r} with {len(rows)} rows")
        pilots = [
            Pilot(str(row["source"]), str(row["expert"]), centroid, int(row["count"]))
            for row, centroid in zip(rows, state[CENTROIDS], strict=True)
        ]
        return cls(pilots=tuple(pilots), rule=stored["rule"], similarity=stored["similarity"])

    def _scores(self, vectors: FloatArray, names: Sequence[str], columns: Sequence[str]) -> Probabilities:
        """float64 [n, columns] of the similarities to the pilots, whose names say to which column they belong."""
        alike = self._alike(vectors)
        place = {column: number for number, column in enumerate(columns)}
        owners = np.array([place[name] for name in names])
        if self.rule == "nearest":
            order = np.argsort(owners, kind="stable")
            starts = np.searchsorted(owners[order], np.arange(len(columns)))
            nearest: Probabilities = np.maximum.reduceat(alike[:, order], starts, axis=1)
            return nearest
        weights = np.zeros((len(names), len(columns)))
        weights[np.arange(len(names)), owners] = self._weights()
        scores: Probabilities = alike @ (weights / weights.sum(axis=0))
        return scores

    def _alike(self, vectors: FloatArray) -> Probabilities:
        queries, centroids = vectors.astype(np.float64), self._centroids.astype(np.float64)
        if self.similarity == "cosine":
            queries, centroids = _unit(queries), _unit(centroids)
        alike: Probabilities = queries @ centroids.T
        return alike

    def _weights(self) -> Probabilities:
        """How much each pilot counts in a mean, float64 [n_pilots], all above 0."""
        if self.rule == "mean":
            return np.ones(len(self.pilots))
        totals: Counter[str] = Counter()
        for pilot in self.pilots:
            totals[pilot.source] += pilot.count
        return np.array([pilot.count / totals[pilot.source] for pilot in self.pilots])


def learn_pilots(
    vectors: FloatArray,
    scores: npt.ArrayLike,
    *,
    experts: Sequence[str],
    sources: Sequence[str],
    k: int = 1,
    smallest: int = 1,
) -> tuple[Pilot, ...]:
    """The pilots of queries whose scores are known, by source and winning expert.

    vectors: float32 [n, dim]. scores: [n, n_experts], higher is better. sources: where each query is from, [n].
    k: centroids a group, by k-means; in the paper more than one "act as distractors". smallest: groups of fewer queries
    are noise, and leave none.
    A query that several experts did equally well goes to the one of them that is better over all queries, then to the
    first by name: it says nothing of who wins, so it must not speak for whoever happens to be listed first.

    Raises:
        TrainingError: no group is large enough.
        ValueError: sizes that do not fit each other, or numbers that are not finite.
    """
    checked = np.asarray(scores, dtype=np.float64)
    if checked.shape != (len(vectors), len(experts)) or len(sources) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors, {len(sources)} sources and scores {checked.shape} do not fit")
    if not (np.isfinite(checked).all() and np.isfinite(vectors).all()):
        raise ValueError("a score or a vector is not finite")
    groups: dict[tuple[str, str], list[int]] = {}
    for row, (source, winner) in enumerate(zip(sources, _winners(checked, experts), strict=True)):
        groups.setdefault((source, experts[winner]), []).append(row)
    pilots = [
        Pilot(source, expert, centroid, count)
        for (source, expert), rows in sorted(groups.items())
        if len(rows) >= smallest
        for centroid, count in _centroids(vectors[rows], k)
    ]
    if not pilots:
        raise TrainingError([f"pilots need {smallest} queries of one source that one expert wins; there are no such"])
    return tuple(pilots)


def _winners(scores: Probabilities, experts: Sequence[str]) -> IntArray:
    """The column of each row's best expert, [n]."""
    # Sorted, so that the order of the queries cannot change a sum in its last digit and with it a tie.
    overall = np.sort(scores, axis=0).sum(axis=0)
    preferred = sorted(range(len(experts)), key=lambda column: (-overall[column], experts[column]))
    winners: IntArray = np.array(preferred)[scores[:, preferred].argmax(axis=1)]
    return winners


def _centroids(vectors: FloatArray, k: int) -> list[tuple[FloatArray, int]]:
    """Up to k means of the rows, each with its number of rows: Lloyd's k-means."""
    rows = vectors.astype(np.float64)
    rows = rows[np.lexsort(rows.T[::-1])]  # the same result in whatever order the queries came
    centres = _far_apart(rows, k)
    for _ in range(ROUNDS):
        found, nearest, sizes = np.unique(_distances(rows, centres).argmin(1), return_inverse=True, return_counts=True)
        moved = np.stack([rows[nearest == cluster].mean(axis=0) for cluster in range(len(found))])
        settled = np.array_equal(moved, centres)
        centres = moved
        if settled:
            break
    return [(centre.astype(np.float32), int(size)) for centre, size in zip(centres, sizes, strict=True)]


def _far_apart(rows: Probabilities, k: int) -> Probabilities:
    """Up to k different rows: the one farthest from the middle, then each time the one farthest from all chosen."""
    chosen = rows[[_distances(rows, rows.mean(axis=0, keepdims=True)).argmax()]]
    while len(chosen) < k and (apart := _distances(rows, chosen).min(axis=1)).max() > 0:
        chosen = np.vstack([chosen, rows[[apart.argmax()]]])
    return chosen


def _distances(rows: Probabilities, centres: Probabilities) -> Probabilities:
    """Squared, float64 [n, n_centres]."""
    distances: Probabilities = np.stack([((rows - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    return distances


def _unit(rows: Probabilities) -> Probabilities:
    """The rows at length 1; zeros stay zeros, which are like nothing."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
