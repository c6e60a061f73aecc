"""What a category classifier is."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from routers.embedding.protocol import FloatArray

__all__ = ["CategoryClassifier", "State"]

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
