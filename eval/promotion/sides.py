"""The two that are compared, each as its folder describes it, and what they were taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eval.datasets import DataError
from orchestrator.config import Config
from orchestrator.plans import Plans
from orchestrator.training import load_mapping
from routers import artifact
from routers.embedding import Embedder
from routers.examples import Example, examples_sha256
from routers.lessons import Lessons
from routers.manifest import Manifest
from routers.mapping.graded import GradedSet
from routers.router import Router

__all__ = ["Side", "lessons_of", "side_of"]


@dataclass(frozen=True, eq=False)
class Side:
    """An artifact, its hashes checked. name: `serving` or `candidate`. lessons: None where it does not say."""

    name: str
    folder: Path
    manifest: Manifest
    lessons: Lessons | None
    config: Config
    embedders: Callable[[str], Embedder]

    @cached_property
    def embedder(self) -> Embedder:
        """The one that it was trained with, by name."""
        return self.embedders(self.manifest.embedder.name)

    @cached_property
    def router(self) -> Router:
        """As it serves; raises ArtifactError where its embedder is another one now."""
        return artifact.load(self.folder, embedder=self.embedder)

    @cached_property
    def plans(self) -> Plans:
        """Its mapping on the experts that are configured now."""
        return Plans(self.config, load_mapping(self.config, folder=self.folder))


def side_of(name: str, folder: Path, *, config: Config, embedders: Callable[[str], Embedder]) -> Side:
    """The side of a folder.

    Raises:
        ArtifactError: missing, damaged or edited.
    """
    manifest = artifact.check(folder)
    return Side(name, folder, manifest, artifact.load_lessons(folder), config, embedders)


def lessons_of(side: Side, examples: Sequence[Example], graded: GradedSet | None) -> Lessons:
    """What a side was taught.

    An artifact from before that was kept is known by its data's hash to have learned from the examples at hand.

    Raises:
        DataError: it does not say, and it was not these.
    """
    if side.lessons is not None:
        return side.lessons
    part = side.manifest.mapping
    same = side.manifest.report.data_sha256 == examples_sha256(examples)
    if same and part is None:
        return Lessons.of(examples)
    if same and part is not None and graded is not None and part.data_sha256 == graded.sha256:
        return Lessons.of(examples, graded.lines)
    said = f"{side.folder}: the {side.name} artifact does not say what it was trained on, and that has changed since"
    raise DataError([f"{said}: nothing shows that a comparison is fair; train it again before its data change"])
