"""What an embedder is, without the weight of one."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Embedder", "FloatArray"]

FloatArray = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors. `fingerprint` changes when the vectors would (weights, truncation)."""

    dim: int
    fingerprint: str

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised. Blocking."""
        ...
