"""From a configuration to a trained router and back: which examples, which grades, which folder, does it still fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.config import Config
from orchestrator.consultation import experts_at_hand
from orchestrator.generations import Generations
from orchestrator.graded import graded_of, learned_from, why_learn
from routers import artifact
from routers.classify.kinds import described_to
from routers.classify.parameters import configured
from routers.embedding import Embedder
from routers.errors import ArtifactError, TrainingError, UnknownClassifier
from routers.examples import Example, distinct, examples_sha256, read_examples
from routers.manifest import Manifest
from routers.mapping.learned import LearnedMapping
from routers.router import Router
from routers.train import Progress, train
from routers.trained import Trained

__all__ = [
    "Progress",
    "examples_of",
    "learned_router",
    "load_mapping",
    "load_router",
    "parameters_of",
    "train_router",
    "why_train",
]


def examples_of(config: Config, file: Path | None = None) -> list[Example]:
    """What the router learns from: the categories' own examples, and `file` or else `routing.examples`.

    Raises:
        TrainingError: the file cannot be read, or has malformed lines.

    """
    own = [
        Example(query, name, f"categories.{name}.examples[{number}]")
        for name, block in config.categories.items()
        for number, query in enumerate(block.examples)
    ]
    source = file if file is not None else config.routing.examples and config.path(config.routing.examples)
    return own + (read_examples(source) if source else [])


def train_router(
    config: Config,
    embedder: Embedder,
    *,
    file: Path | None = None,
    scores: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """As `learned_router`, and save the artifact where the configuration wants it.

    Where generations are kept it becomes the next one, so that it can be rolled back.

    Raises:
        ArtifactError: it cannot be saved.

    """
    trained = learned_router(config, embedder, file=file, scores=scores, seed=seed, progress=progress)
    Generations.of(config).save(trained, embedder=config.embedder)
    return trained


def learned_router(
    config: Config,
    embedder: Embedder,
    *,
    file: Path | None = None,
    scores: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """Train on the configuration's examples.

    file, scores: examples and graded outcomes, instead of `routing.examples` and `routing.scores`. Where there are
    graded outcomes, the mapping is learned from them.

    Raises:
        TrainingError: the examples or the graded outcomes do not suffice or do not fit the configuration, or the
            classifier does not take its parameters.
        InfeasibleBudget: no mapping keeps within the budget.

    """
    graded = graded_of(config, scores)
    with experts_at_hand(config, progress):
        trained = train(
            examples_of(config, file),
            categories=tuple(config.categories),
            general=config.general,
            embedder=embedder,
            classifier=config.routing.classifier,
            parameters=parameters_of(config),
            alpha=config.routing.alpha,
            false_reject=config.routing.false_reject,
            seed=seed,
            progress=progress,
        )
        if graded is not None:
            lessons = trained.lessons and trained.lessons.with_graded(graded.lines)
            mapping = learned_from(config, graded, trained.router, seed=seed)
            trained = replace(trained, mapping=mapping, lessons=lessons)
    return trained


def parameters_of(config: Config) -> Mapping[str, Any]:
    """The parameters of the configuration's classifier, and the categories' descriptions where its kind takes them."""
    descriptions = {name: block.description for name, block in config.categories.items()}
    return described_to(config.routing.classifier, config.routing.parameters, descriptions)


def load_router(config: Config, embedder: Embedder, *, folder: Path | None = None) -> Router:
    """The configuration's router, or that of a folder.

    Raises:
        ArtifactError: none there, damaged, made with another embedder, or for other categories.

    """
    folder = folder or config.path(config.routing.artifact)
    return artifact.load(folder, embedder=embedder, categories=tuple(config.categories), general=config.general)


def load_mapping(config: Config, *, folder: Path | None = None) -> LearnedMapping | None:
    """The mapping that was learned with the configuration's router or that of a folder, if one was.

    Raises:
        ArtifactError: none there, or damaged.

    """
    return artifact.load_mapping(folder or config.path(config.routing.artifact))


def why_train(config: Config, load_embedder: Callable[[str], Embedder]) -> str:
    """Why a router has to be trained before this configuration can be served; empty when one fits.

    A router fits when it loads, and was trained on the examples and with the settings as they are now; so does the
    mapping beside it. One that somebody rolled back to has but to load.
    """
    try:
        generations = Generations.of(config)
        generations.mend()
        manifest = artifact.read_manifest(config.path(config.routing.artifact))
        if not generations.rolled_back and (why := _outdated(config, manifest)):
            return why
        embedder = load_embedder(config.embedder)
        load_router(config, embedder)
        load_mapping(config)
        if not generations.rolled_back and _parameters(config, embedder) != manifest.classifier.parameters:
            return "the settings of 'routing' have changed"
    except (ArtifactError, TrainingError, UnknownClassifier) as error:
        return str(error)
    return ""


def _outdated(config: Config, manifest: Manifest) -> str:
    """What has changed since an artifact was trained, as far as that can be told without an embedder."""
    if manifest.report.data_sha256 != examples_sha256(distinct(examples_of(config))):
        return "the examples have changed"
    wanted = (config.routing.classifier, config.routing.alpha, config.routing.false_reject)
    if (manifest.classifier.kind, manifest.report.alpha, manifest.report.false_reject) != wanted:
        return "the settings of 'routing' have changed"
    return why_learn(config, manifest.mapping)


def _parameters(config: Config, embedder: Embedder) -> object:
    """All parameters of the classifier as the configuration and its kind's defaults have them, in JSON's types."""
    kind = configured(config.routing.classifier, parameters_of(config), embedder)
    return json.loads(json.dumps(kind(embedder).parameters()))
