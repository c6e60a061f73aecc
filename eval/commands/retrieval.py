"""The verb `orchestrator eval retrieval`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.commands.options import Data, EmbedderName, ExpertNames, Folds, JsonFile, ReportFolder, Seed, names_of
from eval.commands.running import Progress, finish, judging, opened
from eval.datasets import DataError
from routers.pilots import Rule, Similarity

if TYPE_CHECKING:
    from routers.embedding import Embedder

__all__ = ["retrieval"]

FOLDS = 5
EXPERTS = "bm25,minilm"

PilotRule = Annotated[Rule, typer.Option("--rule", help="Makes one likeness of those to several pilots.")]
PilotSimilarity = Annotated[Similarity, typer.Option("--similarity", help="Of a query and a pilot.")]
Merged = Annotated[bool, typer.Option("--merged", help="Search one index of all collections as well.")]


def retrieval(
    data: Data,
    *,
    experts: ExpertNames = EXPERTS,
    merged: Merged = False,
    embedder: EmbedderName = "minilm",
    rule: PilotRule = "mean",
    similarity: PilotSimilarity = "dot",
    folds: Folds = FOLDS,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """nDCG@10 of retrievers, and of a router between them, on collections with judged queries.

    Experts are `bm25` and embedders by alias, path or hub id. The router knows queries by --embedder, and learns on the
    other folds which expert does best on queries like them.

    Example: orchestrator eval retrieval beir:nfcorpus.zip smart:cran --experts bm25,minilm --merged
    """
    from eval.suites.retrieval import judge_retrieval
    from orchestrator.experts.retriever.shelf import WORDS

    with judging() as progress:
        datasets = opened(data, progress)
        names = names_of(experts) or ()
        embedders = _loaded({*names, embedder} - {WORDS}, progress)
        if embedder not in embedders:
            raise DataError([f"--embedder {embedder}: the router needs vectors, which {WORDS} has not"])
        findings = judge_retrieval(
            datasets,
            {name: embedders.get(name) for name in names},
            embedder=embedders[embedder],
            merged=merged,
            rule=rule,
            similarity=similarity,
            folds=folds or FOLDS,
            seed=seed,
            progress=progress,
        )
        finish(findings, json_file=json_file, report=report)


def _loaded(names: Iterable[str], progress: Progress) -> dict[str, Embedder]:
    """By name; what they embed is kept for the next run. Raises DataError with every name that cannot be loaded."""
    from orchestrator.engine import cache_folder
    from routers.embedding.load import load_embedder
    from routers.embedding.stored import StoredEmbedder
    from routers.errors import WeightsError

    loaded: dict[str, Embedder] = {}
    problems = []
    for name in sorted(names):
        try:
            loaded[name] = StoredEmbedder(
                load_embedder(name, folder=Path()),
                cache_folder() / "embeddings",
                progress=partial(progress, f"embedding with {name}"),
            )
        except WeightsError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise DataError(problems)
    return loaded
