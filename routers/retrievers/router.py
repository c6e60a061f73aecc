"""Which retriever, or which two, a query is sent to. Knows vectors and scores, no documents.

What is learned is a table: queries' vectors, where each is from, and how well each arm did on it. The rules read the
table; so an arm is added by a column and removed by dropping one, and nothing is trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias, cast, get_args

import numpy as np

from routers.calibrate import IntArray, Probabilities
from routers.embedding.protocol import FloatArray
from routers.errors import TrainingError
from routers.pilots import PilotLibrary, Rule, Similarity, learn_pilots
from routers.retrievers.arms import Arm, arm_name

__all__ = ["RULES", "ArmRouter", "ArmRule", "ArmTable", "RuleChoice", "best_rule", "learned_router"]

ArmRule: TypeAlias = Literal["mean", "nearest", "weighted", "profile", "ridge"]
"""How an arm is chosen. mean, nearest, weighted: by pilots; see `routers.pilots.Rule`. profile: by what each arm scored
on the sources that the query looks like. ridge: the same, corrected by a ridge regression on the vector."""

RuleChoice: TypeAlias = Literal["mean", "nearest", "weighted", "profile", "ridge", "auto"]
"""A rule, or `auto`: the one that does best on folds of what the router learns from."""

RULES: tuple[ArmRule, ...] = get_args(ArmRule)

SMALLEST = 5
"""Queries of a pilot: with few queries and many arms, fewer are chance. Where no group has so many, one is enough."""

SHARPNESS = 0.05
"""Temperature at which cosines to sources become probabilities: that of the adapters' training, in the paper."""

PSEUDO = 20.0
"""As many queries as what an arm scores over all sources counts for, beside what it scored on one."""

RIDGE = 5.0
"""Penalty of the regression, on kernels of unit vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmTable:
    """How well each arm did on queries whose relevant documents are known.

    vectors: float32 [n, dim]. scores: [n, n_arms], nDCG@10. sources: where each query is from (a domain, a data set).

    Raises:
        ValueError: sizes that do not fit, or numbers that are not finite.
    """

    vectors: FloatArray
    scores: Probabilities
    arms: tuple[Arm, ...]
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.vectors)
        if self.scores.shape != (n, len(self.arms)) or len(self.sources) != n or not n or not self.arms:
            message = f"{n} vectors, {len(self.sources)} sources and scores {self.scores.shape} do not fit"
            raise ValueError(message)
        if not (np.isfinite(self.scores).all() and np.isfinite(self.vectors).all()):
            message = "a score or a vector is not finite"
            raise ValueError(message)

    @property
    def experts(self) -> tuple[str, ...]:
        """Those that some arm asks, sorted."""
        return tuple(sorted({expert for arm in self.arms for expert in arm}))

    def at(self, rows: IntArray) -> ArmTable:
        """Some of the queries."""
        return ArmTable(self.vectors[rows], self.scores[rows], self.arms, tuple(self.sources[row] for row in rows))

    def of(self, arms: Sequence[Arm]) -> ArmTable:
        """Some of the arms, in that order; raises ValueError for one that is not there."""
        columns = [self.arms.index(arm) for arm in arms]
        return ArmTable(self.vectors, self.scores[:, columns], tuple(arms), self.sources)

    def without(self, expert: str) -> ArmTable:
        """Without the arms that ask an expert; raises ValueError where none does, or no other is left."""
        kept = [arm for arm in self.arms if expert not in arm]
        if len(kept) == len(self.arms):
            message = f"no arm asks {expert!r}; known: {', '.join(self.experts)}"
            raise ValueError(message)
        return self.of(kept)

    def with_scores(self, arms: Sequence[Arm], scores: Probabilities) -> ArmTable:
        """With further arms and their scores on the same queries, [n, n_new]."""
        return ArmTable(self.vectors, np.concatenate([self.scores, scores], axis=1), (*self.arms, *arms), self.sources)

    def by_source(self) -> tuple[tuple[str, ...], Probabilities]:
        """The sources, sorted, and what each arm scored there: [n_sources, n_arms]."""
        names = tuple(sorted(set(self.sources)))
        of = np.asarray(self.sources)
        return names, np.stack([self.scores[of == name].mean(axis=0) for name in names])

    def best_single(self) -> Arm:
        """The arm with the best mean over sources, however many queries each has."""
        _, means = self.by_source()
        return self.arms[int(means.mean(axis=0).argmax())]


class ArmRouter:
    """Sends queries to arms by a table and a rule."""

    def __init__(self, table: ArmTable, *, rule: ArmRule, similarity: Similarity = "dot") -> None:
        if rule not in RULES:
            message = f"no rule {rule!r}; known: {', '.join(RULES)}"
            raise ValueError(message)
        self.table, self.rule = table, rule
        by_pilots = rule in get_args(Rule)
        self._library = _library(table, cast("Rule", rule), similarity) if by_pilots else None
        self._profile = _Profile(table)
        self._weights = _residual_weights(table, self._profile) if rule == "ridge" else None

    def scores(self, vectors: FloatArray) -> Probabilities:
        """float64 [n, n_arms]: how much speaks for each arm; comparable within a row alone."""
        if self._library is not None:
            found = np.full((len(vectors), len(self.table.arms)), -np.inf)
            names = [arm_name(arm) for arm in self.table.arms]
            columns = [names.index(name) for name in self._library.experts]
            found[:, columns] = self._library.expert_scores(vectors)
            return found
        expected = self._profile.expected(vectors)
        if self._weights is None:
            return expected
        corrected: Probabilities = expected + vectors.astype(np.float64) @ self._weights
        return corrected

    def columns(self, vectors: FloatArray) -> IntArray:
        """The column of the arm that each query is sent to, [n]."""
        chosen: IntArray = self.scores(vectors).argmax(axis=1)
        return chosen

    def route(self, vectors: FloatArray) -> list[Arm]:
        """The arm that each query is sent to."""
        return [self.table.arms[column] for column in self.columns(vectors)]

    def source_of(self, vectors: FloatArray) -> list[str]:
        """The source that each query looks like."""
        if self._library is not None:
            return self._library.source_of(vectors)
        return [self._profile.sources[column] for column in self._profile.shares(vectors).argmax(axis=1)]


class _Profile:
    """What each arm scores on each source, and how much a query looks like each of them."""

    def __init__(self, table: ArmTable) -> None:
        self.sources, means = table.by_source()
        of = np.asarray(table.sources)
        centroids = np.stack([table.vectors[of == name].astype(np.float64).mean(axis=0) for name in self.sources])
        self._centroids = centroids / np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-12)
        counts = np.array([(of == name).sum() for name in self.sources], dtype=np.float64)[:, None]
        level = means.mean(axis=1, keepdims=True)
        overall = (means - level).mean(axis=0, keepdims=True)
        self._means = level + ((means - level) * counts + overall * PSEUDO) / (counts + PSEUDO)

    def shares(self, vectors: FloatArray) -> Probabilities:
        """[n, n_sources], rows sum to 1."""
        likeness = vectors.astype(np.float64) @ self._centroids.T / SHARPNESS
        powers = np.exp(likeness - likeness.max(axis=1, keepdims=True))
        shares: Probabilities = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def expected(self, vectors: FloatArray) -> Probabilities:
        """[n, n_arms]."""
        expected: Probabilities = self.shares(vectors) @ self._means
        return expected


def learned_router(
    table: ArmTable, *, rule: RuleChoice = "mean", similarity: Similarity = "dot", seed: int = 0
) -> ArmRouter:
    """The router of a table; `auto` chooses the rule that does best on folds of the table itself."""
    chosen = best_rule(table, similarity=similarity, seed=seed) if rule == "auto" else rule
    return ArmRouter(table, rule=chosen, similarity=similarity)


def best_rule(table: ArmTable, *, similarity: Similarity = "dot", folds: int = 5, seed: int = 0) -> ArmRule:
    """The rule with the best mean over sources on held-out folds of the table; of equal ones the first in `RULES`."""
    fold = _folds(table.vectors, folds, seed)
    held = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]
    held = [(learned, judged) for learned, judged in held if len(learned) and len(judged)]
    if len(held) < 2:  # noqa: PLR2004 - nothing to choose by
        return RULES[0]
    of = np.asarray(table.sources)
    reached = []
    for rule in RULES:
        values = np.full(len(of), np.nan)
        for learned, judged in held:
            router = ArmRouter(table.at(learned), rule=rule, similarity=similarity)
            values[judged] = table.scores[judged, router.columns(table.vectors[judged])]
        reached.append(np.mean([np.nanmean(values[of == name]) for name in sorted(set(table.sources))]))
    return RULES[int(np.argmax(reached))]


def _library(table: ArmTable, rule: Rule, similarity: Similarity) -> PilotLibrary:
    names = [arm_name(arm) for arm in table.arms]
    learn = partial(learn_pilots, table.vectors, table.scores, experts=names, sources=table.sources)
    try:
        pilots = learn(smallest=SMALLEST)
    except TrainingError:
        pilots = learn(smallest=1)
    return PilotLibrary(pilots=pilots, rule=rule, similarity=similarity)


def _residual_weights(table: ArmTable, profile: _Profile) -> Probabilities:
    """[dim, n_arms]: ridge regression of what the profile leaves, less what a query is harder or easier for all."""
    left = table.scores - profile.expected(table.vectors)
    left = left - left.mean(axis=1, keepdims=True)
    vectors = table.vectors.astype(np.float64)
    gram = vectors.T @ vectors + np.diag(np.full(vectors.shape[1], RIDGE))
    weights: Probabilities = np.linalg.solve(gram, vectors.T @ left)
    return weights


def _folds(vectors: FloatArray, folds: int, seed: int) -> IntArray:
    """The fold of each query by a hash of its vector: the same text is never on both sides."""
    hashes = (
        hashlib.sha256(f"{seed}\0".encode() + np.ascontiguousarray(row).tobytes()).digest()[:8] for row in vectors
    )
    return np.array([int.from_bytes(digest, "big") % folds for digest in hashes], dtype=np.intp)
