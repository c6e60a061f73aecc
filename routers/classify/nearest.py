"""Nearest examples: a vote of those that are most like a query. Nothing is trained, so a new one counts at once.

Each of the k nearest examples votes for its category with the weight exp(sharpness (cosine - 1)), at most 1, so that a
query equal to an example is no special case (Dudani 1976 weighs by inverse distance, which has one).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from routers.calibrate import IntArray, softmax
from routers.classify.contribution import Contribution, whatever_the_text
from routers.classify.protocol import State
from routers.embedding.layered import layered
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["NearestClassifier"]

AT_ONCE = 1024
"""Queries whose similarities are held at a time: 4 bytes each for every example."""

NEAREST = 5
"""How many examples say how near a query is to what was learned: one alone may be a stray."""


class NearestClassifier:
    """A `CategoryClassifier` that is its examples.

    k: how many vote, and all that are as near as the last of them. sharpness: how fast a vote loses weight with
    distance; 0 is a plain vote. smoothing: votes that no example cast, shared by all categories, > 0; far from every
    example they outweigh the others and the posterior is flat.
    examples_: float32 [n, dim], rows L2-normalised or zero. columns_: the category of each, [n].
    """

    classes_: tuple[str, ...]
    examples_: FloatArray
    columns_: IntArray

    unit: Literal["logit", "score"] = "score"

    signals = ("score", "nearness")
    """The most votes for a category, and the mean cosine to the five nearest examples."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        k: Annotated[int, Field(ge=1)] = 25,
        sharpness: Annotated[float, Field(ge=0, le=1000)] = 10.0,
        smoothing: Annotated[float, Field(gt=0)] = 0.01,
    ) -> None:
        self._embedder = embedder
        self._k, self._sharpness, self._smoothing = k, sharpness, smoothing

    @staticmethod
    def sees(embedder: Embedder, _parameters: Mapping[str, Any]) -> Embedder:
        """What of an embedder this kind wants to see: all its layers, whose cosines it averages."""
        return layered(embedder)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Keep the examples."""
        self.classes_ = tuple(sorted(set(labels)))
        column = {label: number for number, label in enumerate(self.classes_)}
        self.columns_ = np.array([column[label] for label in labels], dtype=np.intp)
        self.examples_ = np.ascontiguousarray(self._embedder.embed(texts), dtype=np.float32)
        return self

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence as the examples of the other folds vote.

        Exactly what a fit without the fold would give, but for a category that stands in that fold alone: it gets its
        share of the smoothing.
        """
        self.fit(texts, labels)
        logits = np.empty((len(texts), len(self.classes_)), dtype=np.float32)
        evidence = np.empty((len(texts), len(self.signals)), dtype=np.float32)
        for number in np.unique(fold):
            others = np.flatnonzero(fold != number)
            held = np.flatnonzero(fold == number)
            logits[held], evidence[held] = self._seen(
                self.examples_[held], self.examples_[others], self.columns_[others]
            )
        return logits, evidence

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, 2], see `signals`."""
        return self._seen(self._embedder.embed(texts), self.examples_, self.columns_)

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated: the logarithm of each category's share of the votes."""
        return self.read(texts)[0]

    def explain(self, text: str, categories: Sequence[str]) -> tuple[Contribution, ...]:
        """The vote of each example that has one, and those that no example cast; the logit is the logarithm of a share.

        An example is named by its category and its number there, from 1, in the order in which it was learned: its text
        is not kept, so that a query of one person, once learned, is not shown to another.
        """
        columns = np.array([self.classes_.index(name) for name in categories], dtype=np.intp)
        alike = self._embedder.embed([text]) @ self.examples_.T
        weights = self._weights(alike)[0].astype(np.float64)
        parts = [whatever_the_text(np.full(len(columns), self._smoothing / len(self.classes_)))]
        for row in np.flatnonzero(weights):
            owner = self.columns_[row]
            number = np.count_nonzero(self.columns_[: row + 1] == owner)
            name = f"example {number} of {self.classes_[owner]}, likeness {alike[0, row]:.2f}"
            values = np.where(columns == owner, weights[row], 0.0)
            parts.append(Contribution("examples", name, tuple(map(float, values))))
        return tuple(parts)

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated: the shares."""
        return softmax(self.logits(texts)).astype(np.float32)

    def state(self) -> State:
        """`examples` float32 [n, dim] and `columns` float32 [n], the positions of their categories in `classes_`."""
        return {"examples": self.examples_, "columns": self.columns_.astype(np.float32)}

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor."""
        return {"k": self._k, "sharpness": self._sharpness, "smoothing": self._smoothing}

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        if set(state) != {"examples", "columns"}:
            raise ValueError(f"expected tensors 'columns' and 'examples', found {', '.join(map(repr, sorted(state)))}")
        examples, columns = state["examples"], state["columns"]
        if columns.ndim != 1 or examples.shape != (len(columns), self._embedder.dim):
            raise ValueError(
                f"tensor 'examples' {examples.shape} does not fit 'columns' {columns.shape} and vectors of "
                f"{self._embedder.dim} numbers"
            )
        if not np.isfinite(examples).all():
            raise ValueError("tensor 'examples' holds a number that is not finite")
        if not np.array_equal(np.unique(columns), np.arange(len(classes))):
            raise ValueError(f"tensor 'columns' must hold each of {len(classes)} categories and nothing else")
        self.classes_ = tuple(classes)
        self.examples_ = np.ascontiguousarray(examples, dtype=np.float32)
        self.columns_ = columns.astype(np.intp)
        return self

    def _seen(self, queries: FloatArray, examples: FloatArray, columns: IntArray) -> tuple[FloatArray, FloatArray]:
        """Logits and evidence. queries: [n, dim]. examples: [m, dim], m >= 0. columns: [m]."""
        ballots = np.zeros((len(columns), len(self.classes_)), dtype=np.float32)
        ballots[np.arange(len(columns)), columns] = 1
        votes, nearness = [ballots[:0]], [ballots[:0, 0]]
        for some in _parts(queries):
            alike = some @ examples.T
            votes.append(self._weights(alike) @ ballots)
            nearness.append(_nearness(alike))
        counted = np.concatenate(votes).astype(np.float64) + self._smoothing / len(self.classes_)
        shares: FloatArray = (counted / counted.sum(axis=1, keepdims=True)).astype(np.float32)
        return np.log(shares), np.stack([counted.max(axis=1), np.concatenate(nearness)], axis=1).astype(np.float32)

    def _weights(self, alike: FloatArray) -> FloatArray:
        """How much each example's vote counts, [n, m]; from cosines [n, m]."""
        weights: FloatArray = np.exp(self._sharpness * (np.minimum(alike, 1) - 1))
        m = alike.shape[1]
        if m > self._k:
            # All that are as near as the k-th: which of equal ones came first must not matter.
            weights[alike < np.partition(alike, m - self._k, axis=1)[:, m - self._k, None]] = 0
        return weights


def _nearness(alike: FloatArray) -> FloatArray:
    """The mean of each row's largest cosines, float32 [n]; without examples the least that there is."""
    m = alike.shape[1]
    if not m:
        return np.full(len(alike), -1, dtype=np.float32)
    most = min(NEAREST, m)
    nearness: FloatArray = np.partition(alike, m - most, axis=1)[:, m - most :].mean(axis=1)
    return nearness


def _parts(queries: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(queries), AT_ONCE):
        yield queries[start : start + AT_ONCE]
