"""The verb `orchestrator eval categories`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from eval.commands.embedding import stored_embedder
from eval.commands.options import Config, DataOrTest, Folds, JsonFile, ReportFolder, Seed, TestData, TrainData
from eval.commands.running import Progress, finish, judging, opened
from eval.datasets import DataError
from routers.embedding.engine import Engine, engine_of

if TYPE_CHECKING:
    from eval.datasets import Dataset
    from eval.suites.categories import Parts
    from routers.embedding import Embedder
    from routers.router import Router

__all__ = ["categories"]

Artifact = Annotated[
    Path | None, typer.Option("--router", help="Judge this trained router, not that of the configuration.")
]
Classifier = Annotated[str, typer.Option("--classifier", help="The kind that learns, with --folds or --train.")]
EmbedderName = Annotated[
    str | None,
    typer.Option("--embedder", help="An alias, a path or a hub id; default: the router's own, minilm to learn with."),
]
EngineName = Annotated[Engine, typer.Option("--engine", help="What runs the embedder, with --folds or --train.")]
Perturb = Annotated[
    int, typer.Option("--perturb", min=0, help="Ask so many queries again in other words, drawn by the seed; 0: none.")
]

LEARNS_WITH = "minilm"


class Settings(TypedDict):
    """What every way to judge takes."""

    perturb: int
    seed: int
    progress: Progress


class Learner(TypedDict):
    """What learns, where the router is trained first."""

    classifier: str
    embedder: Embedder


def categories(
    data: DataOrTest = None,
    *,
    router: Artifact = None,
    train: TrainData = None,
    test: TestData = None,
    folds: Folds = None,
    classifier: Classifier = "linear",
    embedder: EmbedderName = None,
    engine: EngineName = "torch",
    config: Config = Path("experts.yaml"),
    perturb: Perturb = 1000,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """Are queries sent to their category, are probabilities what they say, is it noticed what belongs to none.

    Judges the trained router of the configuration, or the one of --router; with --folds or --train, routers that
    learn from the data first. --train alone goes by the source's own split.

    Example: orchestrator eval categories example/queries_held_out.jsonl --report out
    """
    from eval.suites.categories import judge_folds, judge_parts, judge_router

    judged = [*(data or []), *(test or [])]
    with judging() as progress:
        _refuse_unclear(judged, train=train, router=router, folds=folds)
        settings = Settings(perturb=perturb, seed=seed, progress=progress)
        if train:
            datasets, parts = _parts(train, judged, progress)
            learner = _learner(classifier, embedder, engine, progress)
            findings = judge_parts(datasets, parts, **learner, **settings)
        elif folds is not None:
            datasets = opened(judged, progress)
            learner = _learner(classifier, embedder, engine, progress)
            findings = judge_folds(datasets, folds=folds, **learner, **settings)
        else:
            datasets = opened(judged, progress)
            trained, name = _trained(router, config, embedder)
            findings = judge_router(datasets, trained, name=name, **settings)
        finish(findings, json_file=json_file, report=report)


def _refuse_unclear(
    judged: Sequence[str], *, train: Sequence[str] | None, router: Path | None, folds: int | None
) -> None:
    ways = {"--router": router, "--train": train, "--folds": folds}
    chosen = [name for name, value in ways.items() if value]
    if len(chosen) > 1:
        raise DataError([f"{' and '.join(chosen)} are different ways to come by a router: name one of them"])
    if not judged and not train:
        raise DataError(["nothing to judge by: name DATA"])


def _parts(train: Sequence[str], judged: Sequence[str], progress: Progress) -> tuple[list[Dataset], Parts]:
    """What is learned from and what is judged, with the data sets that they are from."""
    from eval.suites.categories import parts_by_split, parts_given

    if not judged or set(judged) == set(train):
        datasets = opened(train, progress)
        return datasets, parts_by_split(datasets)
    datasets = opened([*train, *judged], progress)
    return datasets, parts_given(datasets[: len(train)], datasets[len(train) :])


def _learner(classifier: str, embedder: str | None, engine: Engine, progress: Progress) -> Learner:
    from routers.classify import classifier_kind
    from routers.errors import UnknownClassifier

    try:
        classifier_kind(classifier)
    except UnknownClassifier as error:
        raise DataError([f"--classifier {classifier}: {error}"]) from error
    return Learner(classifier=classifier, embedder=stored_embedder(embedder or LEARNS_WITH, progress, engine=engine))


def _trained(folder: Path | None, config: Path, embedder: str | None) -> tuple[Router, str]:
    """The router of a folder or else of the configuration, with the hash that names it."""
    from orchestrator.cli.options import read_config
    from orchestrator.training import load_router
    from routers import artifact
    from routers.errors import ArtifactError

    if folder is None:
        settings = read_config(config)
        vectors = stored_embedder(
            embedder or settings.embedder, _silent, folder=settings.folder, engine=settings.engine
        )
        name = artifact.read_manifest(settings.path(settings.routing.artifact)).sha256
        return load_router(settings, vectors), name
    try:
        manifest = artifact.read_manifest(folder)
        engine = engine_of(manifest.embedder.fingerprint)
        vectors = stored_embedder(embedder or manifest.embedder.name, _silent, engine=engine)
        return artifact.load(folder, embedder=vectors), manifest.sha256
    except ArtifactError as error:
        raise DataError([f"--router {folder}: {error}"]) from error


def _silent(_what: str, _done: int, _total: int) -> None:
    """Embedding is a part of classifying, which has a bar of its own."""
