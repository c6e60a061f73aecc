"""What an encoder knows besides its final vector: earlier layers hold more of the words, the last more of the meaning.

A classifier that looks at several layers at once separates kinds of query that the final vector merges; it costs one
average a layer, since the model computes them anyway.
"""

from typing import Protocol, runtime_checkable

from routers.embedding.protocol import Embedder

__all__ = ["Layered", "layered", "views_of"]


@runtime_checkable
class Layered(Protocol):
    """An embedder that can show its layers."""

    def layered(self) -> Embedder:
        """An embedder over the same weights whose rows are `views` blocks of equal size, each L2-normalised.

        The whole row is divided by the square root of `views`, so that it is L2-normalised too.
        """
        ...


def layered(embedder: Embedder) -> Embedder:
    """The layers of an embedder that can show them, else the embedder as it is."""
    return embedder.layered() if isinstance(embedder, Layered) else embedder


def views_of(embedder: Embedder) -> int:
    """How many blocks a row is made of; 1 for a plain embedder."""
    views: int = getattr(embedder, "views", 1)
    return views
