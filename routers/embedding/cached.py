"""An embedder that embeds each text once: training sees the same texts again in every fold."""

from collections.abc import Sequence

import numpy as np

from routers.embedding.layered import views_of
from routers.embedding.pieces import Pieces, pieces_of
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["CachedEmbedder"]


class CachedEmbedder:
    """Remembers every vector of `inner` for as long as it lives, so it is for a run, not for a service."""

    def __init__(self, inner: Embedder) -> None:
        self.dim = inner.dim
        self.fingerprint = inner.fingerprint
        self.views = views_of(inner)
        self._inner = inner
        self._vectors: dict[str, FloatArray] = {}

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised; only texts not seen before cost anything."""
        new = list(dict.fromkeys(text for text in texts if text not in self._vectors))
        self._vectors.update(zip(new, self._inner.embed(new), strict=True))
        rows = [self._vectors[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dim), dtype=np.float32)

    def pieces(self) -> Pieces | None:
        """Those of the inner embedder."""
        return pieces_of(self._inner)
