"""Low-rank adapters on the query's side: the documents' vectors stay as they are. Knows vectors, no texts and no files.

RouterRetriever (arXiv 2409.02685) trains a LoRA expert a domain on the query encoder alone. Here the low-rank update
sits behind the encoder: q' = unit(q + (alpha / r) B A q), so that every expert shares one encoder pass and one index,
and an adapter is trained in seconds on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from routers.classify.protocol import State
from routers.embedding.protocol import FloatArray

__all__ = ["Judged", "QueryAdapter", "Recipe", "learned_adapters"]

DOWN, UP = "down", "up"


@dataclass(frozen=True, slots=True, eq=False)
class QueryAdapter:
    """A low-rank update of a query's vector: `down` [r, dim] and `up` [dim, r], float32, `alpha / r` worked in."""

    down: FloatArray
    up: FloatArray

    def __post_init__(self) -> None:
        r, dim = self.down.shape if self.down.ndim == 2 else (0, 0)  # noqa: PLR2004 - a matrix
        if self.up.shape != (dim, r) or not (np.isfinite(self.down).all() and np.isfinite(self.up).all()):
            message = f"an adapter of shapes {self.down.shape} and {self.up.shape} is none"
            raise ValueError(message)

    @property
    def dim(self) -> int:
        """Of the vectors that it takes."""
        return int(self.down.shape[1])

    def applied(self, queries: FloatArray) -> FloatArray:
        """The queries' vectors as this domain has them: float32 [n, dim], rows L2-normalised as those given."""
        moved = queries + (queries @ self.down.T) @ self.up.T
        rows: FloatArray = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return rows

    @classmethod
    def identity(cls, dim: int, *, r: int = 1) -> Self:
        """The adapter that changes nothing."""
        return cls(np.zeros((r, dim), dtype=np.float32), np.zeros((dim, r), dtype=np.float32))

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return not self.up.any()

    def state(self) -> State:
        """Both matrices, by name."""
        return {DOWN: self.down, UP: self.up}

    @classmethod
    def restored(cls, state: State) -> Self:
        """The inverse of `state`; raises ValueError or KeyError where it does not fit."""
        return cls(np.asarray(state[DOWN], dtype=np.float32), np.asarray(state[UP], dtype=np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an adapter is trained.

    r, alpha, temperature: as in the paper. rate: of Adam, decay: of the weights, both a step. hard: documents that the
    unadapted vectors rank highest and that are not relevant, a query; with the relevant ones of all queries, the
    `negatives` that are given and `drawn` documents at random they are what a query is told apart from.
    """

    r: int = 8
    alpha: float = 32.0
    temperature: float = 0.05
    rate: float = 5e-4
    decay: float = 1e-2
    hard: int = 20
    drawn: int = 3000


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Queries' vectors [n, dim] and, for each, rows of relevant documents; `negatives`: what other indexes found."""

    queries: FloatArray
    relevant: Sequence[Sequence[int]]
    negatives: Sequence[Sequence[int]] = ()

    def at(self, rows: Sequence[int]) -> Judged:
        """Some of them."""
        negatives = [self.negatives[row] for row in rows] if self.negatives else ()
        return Judged(self.queries[list(rows)], [self.relevant[row] for row in rows], negatives)


def learned_adapters(
    judged: Judged, documents: FloatArray, *, steps: Sequence[int], seed: int, recipe: Recipe | None = None
) -> dict[int, QueryAdapter]:
    """One training run, stopped at each of `steps` (0 is the identity).

    The loss is the cross-entropy of a softmax over documents, at a temperature, against the relevant ones in equal
    shares: each query's positives are in-batch negatives of the others.

    Raises:
        ValueError: no queries, or sizes that do not fit.
    """
    recipe = recipe or Recipe()
    if not len(judged.queries) or len(judged.queries) != len(judged.relevant):
        message = f"{len(judged.queries)} queries and {len(judged.relevant)} judgements of them do not fit"
        raise ValueError(message)
    rows = _contrasted(judged, documents, recipe, seed)
    task = _Task(judged, rows, documents[rows], recipe, seed)
    found: dict[int, QueryAdapter] = {}
    for step in range(max(steps) + 1):
        if step in steps:
            found[step] = task.adapter()
        if step < max(steps):
            task.step()
    return found


class _Task:
    """Adam on the two matrices, with the gradient written out: to import torch would take as long as the training."""

    def __init__(self, judged: Judged, rows: Sequence[int], documents: FloatArray, recipe: Recipe, seed: int) -> None:
        place = {row: column for column, row in enumerate(rows)}
        self._target = np.zeros((len(judged.relevant), len(rows)), dtype=np.float32)
        for query, relevant in enumerate(judged.relevant):
            self._target[query, [place[row] for row in relevant]] = 1.0 / len(relevant)
        self._queries, self._documents, self._recipe = judged.queries.astype(np.float32), documents, recipe
        dim = judged.queries.shape[1]
        random = np.random.default_rng(seed)
        down = random.standard_normal((recipe.r, dim)).astype(np.float32) / np.float32(dim**0.5)
        self._weights = [down, np.zeros((dim, recipe.r), dtype=np.float32)]
        self._first = [np.zeros_like(weight) for weight in self._weights]
        self._second = [np.zeros_like(weight) for weight in self._weights]
        self._scale, self._steps = np.float32(recipe.alpha / recipe.r), 0

    def adapter(self) -> QueryAdapter:
        down, up = self._weights
        return QueryAdapter(down.copy(), up * self._scale)

    def step(self, *, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self._steps += 1
        recipe = self._recipe
        for number, gradient in enumerate(self._gradients()):
            first = self._first[number] = betas[0] * self._first[number] + (1 - betas[0]) * gradient
            second = self._second[number] = betas[1] * self._second[number] + (1 - betas[1]) * gradient**2
            towards = (first / (1 - betas[0] ** self._steps)) / (np.sqrt(second / (1 - betas[1] ** self._steps)) + 1e-8)
            weight = self._weights[number]
            self._weights[number] = (weight * (1 - recipe.rate * recipe.decay) - recipe.rate * towards).astype(
                np.float32
            )

    def _gradients(self) -> tuple[FloatArray, FloatArray]:
        """Of the mean loss, by `down` and `up`."""
        down, up = self._weights
        inner = self._queries @ down.T
        moved = self._queries + self._scale * (inner @ up.T)
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        unit = moved / lengths
        logits = unit @ self._documents.T / self._recipe.temperature
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        by_unit = (shares - self._target) @ self._documents / (self._recipe.temperature * len(unit))
        by_moved = self._scale * (by_unit - unit * (unit * by_unit).sum(axis=1, keepdims=True)) / lengths
        return (by_moved @ up).T @ self._queries, by_moved.T @ inner


def _contrasted(judged: Judged, documents: FloatArray, recipe: Recipe, seed: int) -> list[int]:
    """The documents of the softmax: the relevant ones, those that are near or were found otherwise, and some drawn."""
    depth = min(recipe.hard, len(documents))
    likeness = judged.queries @ documents.T
    nearest = np.argpartition(-likeness, depth - 1, axis=1)[:, :depth]
    drawn = np.random.default_rng(seed).permutation(len(documents))[: recipe.drawn]
    found = {row for rows in (*judged.relevant, *judged.negatives) for row in rows}
    return sorted(found.union(nearest.ravel().tolist(), drawn.tolist()))
