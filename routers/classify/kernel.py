"""Kernel ridge classification: nearness to examples in meaning, and words and character n-grams, in one exact solve.

Regularised least squares on targets of +1 and -1 (Rifkin and Klautau 2004) with the kernel
k(x, y) = sum over views v of a exp(-g |x_v - y_v|^2) + words(x)·words(y) + characters(x)·characters(y).
The part over meaning is projected onto landmarks (Nystroem; Williams and Seeger 2001), so that a decision costs the
same however many examples there were: with at most as many examples as landmarks the solve is exact.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from routers.calibrate import IntArray, softmax
from routers.classify.contribution import Contribution, of_examples, of_pieces, whatever_the_text
from routers.classify.ngrams import NGrams
from routers.classify.protocol import State
from routers.classify.ridge import SEED, logits_of, projected, sample, solved, targets_of, without_fold
from routers.embedding.layered import layered, views_of
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["KernelClassifier"]

NEAREST = 5
"""How many landmarks say how near a query is to what was learned: one alone may be a stray."""


class KernelClassifier:
    """A `CategoryClassifier`; its scores f, about -1 to 1, estimate 2p - 1, and the logits are log p with a soft floor.

    p = s log(1 + exp((1 + f) / 2s)), s = 0.1: least squares is a probability estimate that may leave 0 to 1 (Bartlett,
    Jordan and McAuliffe 2006, section 2, for the target of the squared loss).

    ridge: the penalty, > 0. nearness: weight of each view's kernel. gamma: how fast nearness falls with distance.
    landmarks: at most so many. most_examples: beyond that a sample by category is learned from, since the solve needs
    4 n² bytes and n³/3 multiplications.
    """

    classes_: tuple[str, ...]
    centre_: FloatArray
    landmarks_: FloatArray
    owner_: IntArray
    near_: FloatArray
    sparse_: FloatArray

    def __init__(
        self,
        embedder: Embedder,
        *,
        ridge: Annotated[float, Field(gt=0)] = 0.5,
        nearness: Annotated[float, Field(ge=0)] = 3.0,
        gamma: Annotated[float, Field(gt=0)] = 0.7,
        landmarks: Annotated[int, Field(ge=1)] = 8192,
        most_examples: Annotated[int, Field(ge=2)] = 16_000,
    ) -> None:
        self._embedder = embedder
        self._views = views_of(embedder)
        self._ridge, self._nearness, self._gamma = ridge, nearness, gamma
        self._landmarks, self._most_examples = landmarks, most_examples
        self._ngrams = NGrams()

    unit: Literal["logit", "score"] = "score"

    signals = ("score", "nearness")
    """The largest score, and the mean cosine to the five nearest landmarks in the final view."""

    @staticmethod
    def sees(embedder: Embedder, _parameters: Mapping[str, Any]) -> Embedder:
        """What of an embedder this kind wants to see: all its layers."""
        return layered(embedder)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Learn from at least two categories."""
        self._solved(texts, labels)
        return self

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence as they would be without its fold.

        The whole is solved once, see `without_fold`. Landmarks, centre and the rarity of n-grams come from all texts;
        they know no labels. Texts beyond `most_examples` are scored by the whole fit.
        """
        kept, targets, factor = self._solved(texts, labels)
        views = self._centred(self._embedder.embed(texts))
        scores = np.empty((len(texts), targets.shape[1]), dtype=np.float32)
        rest = np.setdiff1d(np.arange(len(texts)), kept)
        if len(rest):
            scores[rest] = self._scored([texts[row] for row in rest], views[:, rest])
        scores[kept] = without_fold(factor, targets, fold[kept])
        marked = fold[kept[self._marked]]
        nearness = np.empty(len(texts), dtype=np.float32)
        for number in np.unique(fold):
            held = np.flatnonzero(fold == number)
            others = self.landmarks_[0][marked != number]
            nearness[held] = _nearness(views[0][held], others if len(others) else self.landmarks_[0])
        return logits_of(scores), np.stack([scores.max(axis=1), nearness], axis=1)

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, 2], see `signals`."""
        views = self._centred(self._embedder.embed(texts))
        near, nearness = self._near_with_nearness(views)
        scores = self._summed(texts, near)
        return logits_of(scores), np.stack([scores.max(axis=1), nearness], axis=1)

    def scores(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], about -1 to 1: the sum of what examples and n-grams contribute."""
        return self._scored(texts, self._centred(self._embedder.embed(texts)))

    def _scored(self, texts: Sequence[str], views: FloatArray) -> FloatArray:
        return self._summed(texts, self._near(views))

    def _summed(self, texts: Sequence[str], near: FloatArray) -> FloatArray:
        scores: FloatArray = near @ self.near_ + self._ngrams.times(texts, self.sparse_)
        return np.ascontiguousarray(scores, dtype=np.float32)

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated."""
        return logits_of(self.scores(texts))

    def explain(self, text: str, categories: Sequence[str]) -> tuple[Contribution, ...]:
        """What the learned examples of each category and each piece of the text add to the `scores`.

        Even an example that has nothing in common with the text (cosine 0 in every view) is not infinitely far: what
        all of them would add so is the same for any text and stands by itself; examples have what is beyond it.
        """
        columns = [self.classes_.index(name) for name in categories]
        views = self._centred(self._embedder.embed([text]))
        near = self._near(views)[0].astype(np.float64)
        far = self._views * self._nearness * np.exp(-2 * self._gamma)
        weights = self.near_[:, columns].astype(np.float64)
        pieces, shares = self._ngrams.pieces(text)
        likeness = self.landmarks_[0] @ views[0][0]
        return (
            whatever_the_text(far * weights.sum(axis=0)),
            *of_examples((near - far)[:, None] * weights, self.owner_, likeness=likeness, classes=self.classes_),
            *of_pieces(pieces, shares.astype(np.float64) @ self.sparse_[:, columns]),
        )

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def state(self) -> State:
        """`centre` [views, d], `landmarks` [views, m, d], `near` [m, k], `sparse` [v, k], and those of the n-grams.

        `owner` [m] has the column of each landmark's category.
        """
        return {
            "centre": self.centre_,
            "landmarks": self.landmarks_,
            "owner": self.owner_.astype(np.float32),
            "near": self.near_,
            "sparse": self.sparse_,
            **self._ngrams.state(),
        }

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor."""
        return {
            "ridge": self._ridge,
            "nearness": self._nearness,
            "gamma": self._gamma,
            "landmarks": self._landmarks,
            "most_examples": self._most_examples,
        }

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        missing = {"centre", "landmarks", "owner", "near", "sparse", "columns", "idf", "words"} ^ set(state)
        if missing:
            raise ValueError(f"tensors missing or unknown: {', '.join(sorted(missing))}")
        if not all(np.isfinite(tensor).all() for tensor in state.values()):
            raise ValueError("a tensor holds a number that is not finite")
        self._ngrams.restore(state)
        size = self._embedder.dim // self._views
        marks = state["landmarks"].shape[1] if state["landmarks"].ndim == 3 else -1  # noqa: PLR2004
        expected = {
            "centre": (self._views, size),
            "landmarks": (self._views, marks, size),
            "owner": (marks,),
            "near": (marks, len(classes)),
            "sparse": (len(state["columns"]), len(classes)),
        }
        found = {name: state[name].shape for name in expected}
        if found != expected:
            raise ValueError(f"expected tensors {expected}, found {found}")
        if not np.isin(state["owner"], np.arange(len(classes))).all():
            raise ValueError("the tensor 'owner' names categories that there are not")
        self.classes_ = tuple(classes)
        self.owner_ = state["owner"].astype(np.intp)
        self.centre_, self.landmarks_, self.near_, self.sparse_ = (
            np.ascontiguousarray(state[name], dtype=np.float32) for name in ("centre", "landmarks", "near", "sparse")
        )
        return self

    def _solved(self, texts: Sequence[str], labels: Sequence[str]) -> tuple[IntArray, FloatArray, FloatArray]:
        """Fit on the rows that are kept: their positions, their targets [n, k], and the Cholesky factor [n, n]."""
        self.classes_ = tuple(sorted(set(labels)))
        kept = sample(labels, self._most_examples)
        chosen = [texts[row] for row in kept]
        owner, targets = targets_of([labels[row] for row in kept], self.classes_)
        views = self._views_of(chosen)
        self._mark(views, owner)
        near, onto_landmarks = projected(self._near(views), lambda: self._near(self.landmarks_))
        sparse = self._ngrams.fit_transform(chosen)
        gram = (sparse @ sparse.T).toarray()
        gram += near
        factor, dual = solved(gram, targets, ridge=self._ridge)
        self.sparse_ = np.ascontiguousarray(sparse.T @ dual, dtype=np.float32)
        self.near_ = onto_landmarks(dual)
        return kept, targets, factor

    def _views_of(self, texts: Sequence[str]) -> FloatArray:
        """Embed, and take the centre of each view: what all texts share tells no category from another."""
        blocks = _blocks(self._embedder.embed(texts), self._views)
        self.centre_ = blocks.mean(axis=1) if self._views > 1 else np.zeros_like(blocks[:, 0])
        return _unit(blocks - self.centre_[:, None])

    def _mark(self, views: FloatArray, owner: IntArray) -> None:
        """Choose the landmarks, and note their categories."""
        self._marked = np.sort(np.random.default_rng(SEED).permutation(views.shape[1])[: self._landmarks])
        self.landmarks_ = np.ascontiguousarray(views[:, self._marked])
        self.owner_ = owner[self._marked]

    def _centred(self, rows: FloatArray) -> FloatArray:
        return _unit(_blocks(rows, self._views) - self.centre_[:, None])

    def _near(self, views: FloatArray) -> FloatArray:
        """The kernel over meaning between texts [views, n, d] and the landmarks: float32 [n, m]."""
        near, _ = self._near_with_nearness(views)
        return near

    def _near_with_nearness(self, views: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`_near`, and how near each text is in the final view, from the same products."""
        if views.shape[1] == 1:  # in few calls, since each costs more than what it computes
            every: FloatArray = np.matmul(self.landmarks_, views.transpose(0, 2, 1))[..., 0]
            nearness = _nearest(every[:1])
            return self._kernel(every).sum(axis=0, keepdims=True), nearness
        cosines = _cosines(views[0], self.landmarks_[0])
        nearness = _nearest(cosines)
        near = self._kernel(cosines)
        for view, marks in zip(views[1:], self.landmarks_[1:], strict=True):
            near += self._kernel(_cosines(view, marks))
        return near, nearness

    def _kernel(self, cosines: FloatArray) -> FloatArray:
        """Of one view, in the place of its cosines."""
        cosines -= 1
        cosines *= 2 * self._gamma
        np.exp(cosines, out=cosines)
        cosines *= self._nearness
        return cosines


def _nearness(view: FloatArray, marks: FloatArray) -> FloatArray:
    """The mean cosine of each row [n, d] to its nearest landmarks [m, d]: float32 [n]."""
    return _nearest(_cosines(view, marks))


def _cosines(view: FloatArray, marks: FloatArray) -> FloatArray:
    cosines: FloatArray = view @ marks.T
    return cosines


def _nearest(cosines: FloatArray) -> FloatArray:
    """The mean of the largest of each row."""
    most = min(NEAREST, cosines.shape[1])
    nearness: FloatArray = np.partition(cosines, -most, axis=1)[:, -most:].mean(axis=1)
    return nearness


def _blocks(rows: FloatArray, views: int) -> FloatArray:
    """[n, views * d] -> [views, n, d]."""
    return rows.reshape(len(rows), views, -1).transpose(1, 0, 2)


def _unit(blocks: FloatArray) -> FloatArray:
    length = np.linalg.norm(blocks, axis=-1, keepdims=True)
    unit: FloatArray = (blocks / np.maximum(length, 1e-9)).astype(np.float32)
    return unit
