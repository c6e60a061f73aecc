"""The fast kind: a text's pieces and their own vectors, looked up, never run through an encoder.

Kernel ridge classification, as in `routers.classify.kernel`, with the kernel
k(x, y) = a exp(-g |m_x - m_y|²) + phrases(x)·phrases(y), where m is the mean of the vectors that the embedder's table
has for the pieces, and phrases are weights of pieces and pairs of neighbouring pieces.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from routers.calibrate import IntArray, softmax
from routers.classify.contribution import Contribution, of_examples, of_pieces, whatever_the_text
from routers.classify.phrases import HashedWords, Keys, Phrases
from routers.classify.protocol import State
from routers.classify.ridge import SEED, logits_of, projected, sample, solved, targets_of, without_fold
from routers.embedding.pieces import Pieces, pieces_of
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["StaticClassifier"]

LEAST_LENGTH = 1e-6

MOST_WEIGHTS = 2**18
"""Of landmarks for categories: with very many categories there are fewer landmarks, or these would be most work."""


class StaticClassifier:
    """A `CategoryClassifier` that reads no embedding; its scores are those of the kernel kind.

    ridge, nearness, gamma, most_examples: as of the kernel kind. landmarks: at most so many, fewer with more than
    some 250 categories. dim: numbers of a mean
    vector, its strongest directions among the examples.

    pieces, phrases: what cuts a text, and what weighs the pieces. table_: the vector of each piece in these directions.
    """

    classes_: tuple[str, ...]
    projection_: FloatArray
    table_: FloatArray
    centre_: FloatArray
    landmarks_: FloatArray
    owner_: IntArray
    near_: FloatArray
    sparse_: FloatArray

    unit: Literal["logit", "score"] = "score"

    signals = ("score", "nearness")
    """The largest score, and the cosine to the nearest landmark."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        ridge: Annotated[float, Field(gt=0)] = 0.5,
        nearness: Annotated[float, Field(gt=0)] = 3.0,
        gamma: Annotated[float, Field(gt=0)] = 0.7,
        landmarks: Annotated[int, Field(ge=1)] = 1024,
        dim: Annotated[int, Field(ge=1)] = 128,
        most_examples: Annotated[int, Field(ge=2)] = 16_000,
    ) -> None:
        self.pieces: Pieces = pieces_of(embedder) or HashedWords()
        self._ridge, self._nearness, self._gamma = ridge, nearness, gamma
        self._landmarks, self._dim, self._most_examples = landmarks, dim, most_examples
        self._fall, self._start = np.float32(2 * gamma), np.float32(math.log(nearness) - 2 * gamma)
        self.phrases = Phrases(self.pieces.size)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Learn from at least two categories."""
        self._solved(self._numbers(texts), labels)
        return self

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence as they would be without its fold; see `without_fold`.

        Directions, landmarks and the rarity of phrases come from all texts; they know no labels.
        """
        numbers = self._numbers(texts)
        kept, targets, factor = self._solved(numbers, labels)
        scores = np.empty((len(texts), targets.shape[1]), dtype=np.float32)
        rest = np.setdiff1d(np.arange(len(texts)), kept)
        if len(rest):
            scores[rest] = np.stack([self._read(numbers[row])[0] for row in rest])
        scores[kept] = without_fold(factor, targets, fold[kept])
        means = self._means(numbers)
        marked = fold[kept[self._marked]]
        nearness = np.empty(len(texts), dtype=np.float32)
        for number in np.unique(fold):
            held = np.flatnonzero(fold == number)
            others = self.landmarks_[marked != number]
            nearness[held] = (means[held] @ (others if len(others) else self.landmarks_).T).max(axis=1)
        return logits_of(scores), np.stack([scores.max(axis=1), nearness], axis=1)

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, 2], see `signals`."""
        scores = np.empty((len(texts), len(self.classes_)), dtype=np.float32)
        evidence = np.empty((len(texts), 2), dtype=np.float32)
        for row, numbers in enumerate(self._numbers(texts)):
            scores[row], evidence[row, 1] = self._read(numbers)
        scores.max(axis=1, out=evidence[:, 0])
        return logits_of(scores), evidence

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated."""
        return self.read(texts)[0]

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def explain(self, text: str, categories: Sequence[str]) -> tuple[Contribution, ...]:
        """What the learned examples of each category and each piece and pair of the text add to the scores."""
        columns = [self.classes_.index(name) for name in categories]
        numbers = np.array(self.pieces.numbers(text), dtype=np.int64)
        cosines = self.landmarks_ @ self._mean(numbers)
        near = self._kernel(cosines.copy()).astype(np.float64)
        far = self._nearness * np.exp(-2 * self._gamma)
        weights = self.near_[:, columns].astype(np.float64)
        names = self.pieces.names(text)
        said = [*names, *(" ".join(pair) for pair in pairwise(names))]
        added = [self.sparse_[places][:, columns].T @ share for places, share in self.phrases.piece_shares(numbers)]
        return (
            whatever_the_text(far * weights.sum(axis=0)),
            *of_examples((near - far)[:, None] * weights, self.owner_, likeness=cosines, classes=self.classes_),
            *of_pieces([("word", name) for name in said], np.array(added, dtype=np.float64).reshape(-1, len(columns))),
        )

    def state(self) -> State:
        """`projection` [p, d], `centre` [d], `landmarks` [m, d], `owner` [m], `near` [m, k], `sparse` [v, k].

        And those of the phrases. `owner` has the column of each landmark's category.
        """
        return {
            "projection": self.projection_,
            "centre": self.centre_,
            "landmarks": self.landmarks_,
            "owner": self.owner_.astype(np.float32),
            "near": self.near_,
            "sparse": self.sparse_,
            **self.phrases.state(),
        }

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor."""
        return {
            "ridge": self._ridge,
            "nearness": self._nearness,
            "gamma": self._gamma,
            "landmarks": self._landmarks,
            "dim": self._dim,
            "most_examples": self._most_examples,
        }

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        names = {"projection", "centre", "landmarks", "owner", "near", "sparse", "first", "second", "idf"}
        if strange := names ^ set(state):
            raise ValueError(f"tensors missing or unknown: {', '.join(sorted(strange))}")
        if not all(np.isfinite(tensor).all() for tensor in state.values()):
            raise ValueError("a tensor holds a number that is not finite")
        vectors = self.pieces.vectors()
        (d,), (m,), k = state["centre"].shape, state["owner"].shape, len(classes)
        expected = {
            "projection": (vectors.shape[1], d),
            "landmarks": (m, d),
            "near": (m, k),
            "sparse": (len(state["idf"]), k),
        }
        found = {name: state[name].shape for name in expected}
        if found != expected:
            raise ValueError(f"expected tensors {expected}, found {found}")
        if not np.isin(state["owner"], np.arange(k)).all():
            raise ValueError("the tensor 'owner' names categories that there are not")
        self.phrases.restore(state)
        self.classes_ = tuple(classes)
        self.owner_ = state["owner"].astype(np.intp)
        self.projection_, self.centre_, self.landmarks_, self.near_, self.sparse_ = (
            np.ascontiguousarray(state[name], dtype=np.float32)
            for name in ("projection", "centre", "landmarks", "near", "sparse")
        )
        self.table_ = vectors @ self.projection_
        return self

    def _numbers(self, texts: Sequence[str]) -> list[Keys]:
        return [np.array(self.pieces.numbers(text), dtype=np.int64) for text in texts]

    def _read(self, numbers: Keys) -> tuple[FloatArray, np.float32]:
        """The scores of one text [k], and how near it is to what was learned."""
        places, values = self.phrases.weights(numbers)
        scores: FloatArray = values @ self.sparse_.take(places, axis=0)
        cosines = self.landmarks_ @ self._mean(numbers)
        nearness: np.float32 = cosines.max()
        scores += self._kernel(cosines) @ self.near_
        return scores, nearness

    def _mean(self, numbers: Keys) -> FloatArray:
        """The mean vector of a text's pieces, centred and of unit length, zero for a text without pieces: [d]."""
        if not len(numbers) or not len(self.table_):
            return np.zeros_like(self.centre_)
        mean: FloatArray = np.add.reduce(self.table_.take(numbers, axis=0), axis=0)
        mean /= np.float32(len(numbers))
        mean -= self.centre_
        mean /= np.float32(max(math.sqrt(mean @ mean), LEAST_LENGTH))
        return mean

    def _means(self, texts: Sequence[Keys]) -> FloatArray:
        return np.stack([self._mean(numbers) for numbers in texts])

    def _kernel(self, cosines: FloatArray) -> FloatArray:
        """Of one mean, a exp(-2g (1 - cosine)), in the place of the cosines."""
        cosines *= self._fall
        cosines += self._start
        np.exp(cosines, out=cosines)
        return cosines

    def _solved(self, texts: Sequence[Keys], labels: Sequence[str]) -> tuple[IntArray, FloatArray, FloatArray]:
        """Fit on the rows that are kept: their positions, their targets [n, k], and the Cholesky factor [n, n]."""
        self.classes_ = tuple(sorted(set(labels)))
        kept = sample(labels, self._most_examples)
        chosen = [texts[row] for row in kept]
        owner, targets = targets_of([labels[row] for row in kept], self.classes_)
        self._direct(chosen)
        means = self._means(chosen)
        self._marked = np.sort(np.random.default_rng(SEED).permutation(len(kept))[: self._most_marks()])
        self.landmarks_, self.owner_ = means[self._marked], owner[self._marked]
        near, onto_landmarks = projected(
            self._kernel(means @ self.landmarks_.T), lambda: self._kernel(self.landmarks_ @ self.landmarks_.T)
        )
        sparse: csr_array = self.phrases.fit_transform(chosen)
        gram = (sparse @ sparse.T).toarray()
        gram += near
        factor, dual = solved(gram, targets, ridge=self._ridge)
        self.sparse_ = np.ascontiguousarray(sparse.T @ dual, dtype=np.float32)
        self.near_ = np.ascontiguousarray(onto_landmarks(dual))
        return kept, targets, factor

    def _most_marks(self) -> int:
        return min(self._landmarks, max(1, MOST_WEIGHTS // len(self.classes_)))

    def _direct(self, texts: Sequence[Keys]) -> None:
        """Find the directions in which the mean vectors of texts differ most, and keep the table in these."""
        vectors = self.pieces.vectors()
        means = np.zeros((len(texts), vectors.shape[1]), dtype=np.float64)
        for row, numbers in zip(means, texts, strict=True):
            if len(numbers) and len(vectors):
                row[:] = vectors[numbers].mean(axis=0)
        centre = means.mean(axis=0)
        _, directions = np.linalg.eigh((means - centre).T @ (means - centre))
        self.projection_ = np.ascontiguousarray(directions[:, ::-1][:, : self._dim], dtype=np.float32)
        self.centre_ = (centre @ self.projection_).astype(np.float32)
        self.table_ = vectors @ self.projection_
