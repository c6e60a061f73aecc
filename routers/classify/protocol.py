"""What a category classifier is."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from routers.calibrate import IntArray, Probabilities
from routers.classify.contribution import Contribution
from routers.embedding.protocol import FloatArray

__all__ = ["CategoryClassifier", "CrossFitted", "Evident", "Explained", "State", "Stated", "stated_by"]

State = Mapping[str, npt.NDArray[np.float32]]
"""A fitted classifier as named tensors, ready for a safetensors file."""


class CategoryClassifier(Protocol):
    """Posterior over categories. sklearn habits: `fit` returns self, learned state ends in `_`.

    Built as `kind(embedder, **parameters)`; `classes_` are the sorted labels of `fit`, the columns of `posterior`.
    """

    classes_: tuple[str, ...]

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self: ...

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1."""
        ...

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories]: what calibration scales before the softmax."""
        ...

    def state(self) -> State:
        """The learned tensors."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What it was built with, as JSON."""
        ...

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when shapes do not fit."""
        ...


@runtime_checkable
class CrossFitted(Protocol):
    """A classifier that knows its own held-out logits without being fitted once a fold."""

    def cross_fitted(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> FloatArray:
        """Fit on everything; the logits each text would get without its fold, float32 [n, n_categories]."""
        ...


@runtime_checkable
class Evident(Protocol):
    """A classifier that shows how much speaks for its answer, besides the posterior: what the gate is learned from.

    signals: the names of the columns of evidence; in each, higher is more like what was learned.
    """

    signals: tuple[str, ...]

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits as of `logits`, and evidence float32 [n, signals], from one look at the texts."""
        ...

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit on everything; both as each text would get them without its fold."""
        ...


@runtime_checkable
class Explained(Protocol):
    """A classifier that can say what its answer is made of.

    unit: what the contributions add up to, the logit itself or a score of which, among the categories of one text, the
    logit is a rising function.
    """

    unit: Literal["logit", "score"]

    def explain(self, text: str, categories: Sequence[str]) -> Sequence[Contribution]:
        """Parts whose values add up to the score of each of these categories, in any order; at least one."""
        ...


@runtime_checkable
class Stated(Protocol):
    """A classifier that people told some answers, with their probabilities: calibration leaves these alone."""

    def stated(self, texts: Sequence[str]) -> Probabilities:
        """float64 [n, n_categories]: the posterior where it was told, rows of NaN where it was not."""
        ...


def stated_by(classifier: CategoryClassifier, texts: Sequence[str]) -> Probabilities | None:
    """What a classifier was told of these texts; None for one that is told nothing."""
    return classifier.stated(texts) if isinstance(classifier, Stated) else None
