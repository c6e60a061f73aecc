"""Multinomial logistic regression on text embeddings: one matrix product once it is learned."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from routers.calibrate import softmax
from routers.classify.contribution import Contribution, whatever_the_text
from routers.classify.protocol import State
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["LinearClassifier"]


class LinearClassifier:
    """A `CategoryClassifier` that is linear in the embedding.

    c: inverse strength of the L2 penalty, > 0; larger follows the examples more closely. Categories weigh the same
    however many examples each has.
    """

    classes_: tuple[str, ...]
    coef_: FloatArray
    intercept_: FloatArray
    unit: Literal["logit", "score"] = "logit"

    def __init__(self, embedder: Embedder, *, c: Annotated[float, Field(gt=0)] = 10.0) -> None:
        self._embedder = embedder
        self._c = c

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Learn from at least two categories."""
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that only training should pay

        model = LogisticRegression(C=self._c, class_weight="balanced", max_iter=1000)
        model.fit(self._embedder.embed(texts).astype(np.float64), np.asarray(labels))
        coef, intercept = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # noqa: PLR2004 - one row there stands for two: softmax(-z/2, z/2) = sigmoid(z)
            coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
        self.classes_ = tuple(str(label) for label in model.classes_)
        self.coef_ = np.ascontiguousarray(coef, dtype=np.float32)
        self.intercept_ = np.ascontiguousarray(intercept, dtype=np.float32)
        return self

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated."""
        logits: FloatArray = self._embedder.embed(texts) @ self.coef_.T + self.intercept_
        return logits

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def explain(self, text: str, categories: Sequence[str]) -> tuple[Contribution, ...]:
        """Two parts: an embedding is one thing, and no share of it belongs to a word."""
        columns = [self.classes_.index(name) for name in categories]
        (meaning,) = self._embedder.embed([text]) @ self.coef_[columns].T
        return (
            Contribution("meaning", "the meaning of the text", tuple(map(float, meaning))),
            whatever_the_text(self.intercept_[columns]),
        )

    def state(self) -> State:
        """`coef` float32 [n_categories, dim] and `intercept` float32 [n_categories]."""
        return {"coef": self.coef_, "intercept": self.intercept_}

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor."""
        return {"c": self._c}

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        expected = {"coef": (len(classes), self._embedder.dim), "intercept": (len(classes),)}
        found = {name: tensor.shape for name, tensor in state.items()}
        if found != expected:
            raise ValueError(f"expected tensors {expected}, found {found}")
        if not all(np.isfinite(tensor).all() for tensor in state.values()):
            raise ValueError("a tensor holds a number that is not finite")
        self.classes_ = tuple(classes)
        self.coef_ = np.ascontiguousarray(state["coef"], dtype=np.float32)
        self.intercept_ = np.ascontiguousarray(state["intercept"], dtype=np.float32)
        return self
