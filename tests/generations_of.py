"""Small artifacts, trained in a blink: what generations and their service are tried with."""

from functools import cache
from pathlib import Path

from orchestrator.testing import WordEmbedder
from routers import artifact
from routers.examples import Example
from routers.train import train
from routers.trained import Trained

__all__ = ["EMBEDDER", "WORDS", "content_of", "example_queries", "save_artifact", "trained_router"]

WORDS = {"sums": "add minus total plus number", "tales": "story fable once dragon castle"}
EMBEDDER = WordEmbedder(256)


def example_queries(count: int, *, start: int = 0) -> list[Example]:
    """So many distinct queries of each category, told apart by the words they have."""
    return [
        Example(f"{words.split()[n % 5]} {words.split()[(n // 5) % 5]} item{n}", category)
        for category, words in WORDS.items()
        for n in range(start, start + count)
    ]


@cache
def trained_router(variant: int = 0, general: str = "general") -> Trained:
    """A router; variants are trained on other queries, so their files differ."""
    return train(example_queries(8, start=variant), general=general, embedder=EMBEDDER)


def save_artifact(folder: Path, variant: int = 0) -> Path:
    """One on disk."""
    artifact.save(trained_router(variant), folder, embedder="words")
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    """Every byte of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
