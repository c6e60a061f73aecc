"""Text embedders behind one protocol."""

from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["Embedder", "FloatArray"]
