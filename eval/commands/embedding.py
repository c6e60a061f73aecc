"""The embedder that a suite is asked to use. Remembers on disk what it embeds, for the next run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eval.commands.running import Progress
from eval.datasets import DataError

if TYPE_CHECKING:
    from routers.embedding import Embedder
    from routers.embedding.engine import Engine

__all__ = ["NO_EMBEDDER", "stored_embedder"]

NO_EMBEDDER = "none"
"""The name that stands for going by words alone, where a suite can."""


def stored_embedder(name: str, progress: Progress, *, folder: Path = Path(), engine: Engine = "torch") -> Embedder:
    """The embedder of that name: a packaged alias, a path or a hub id; raises DataError where it cannot be loaded.

    folder: where relative paths start. engine: what runs it.
    """
    from orchestrator.engine import cache_folder
    from routers.embedding.load import load_embedder
    from routers.embedding.stored import StoredEmbedder
    from routers.errors import WeightsError

    try:
        return StoredEmbedder(
            load_embedder(name, folder=folder, engine=engine, cache=cache_folder() / "graphs"),
            cache_folder() / "embeddings",
            progress=partial(progress, f"embedding with {name}"),
        )
    except WeightsError as error:
        raise DataError([f"--embedder {name}: {error}"]) from error
