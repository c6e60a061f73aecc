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
from routers.pilots import Similarity
from routers.retrievers.router import RuleChoice

if TYPE_CHECKING:
    from routers.embedding import Embedder

__all__ = ["retrieval"]

FOLDS = 5
EXPERTS = "bm25,minilm"
ADAPTED = ":"
"""In the name of an expert that the run trains itself."""

RouterRule = Annotated[
    RuleChoice,
    typer.Option("--rule", help="How the router chooses; auto: as does best on folds of what it learns from."),
]
PilotSimilarity = Annotated[Similarity, typer.Option("--similarity", help="Of a query and a pilot.")]
Adapters = Annotated[
    str | None,
    typer.Option("--adapt", help="An embedder of the experts: train an adapter a collection on its queries' side."),
]
Fuse = Annotated[bool, typer.Option("--fuse", help="The router may also send a query to two, their scores added.")]
Add = Annotated[
    list[str] | None, typer.Option("--add", help="One more expert, and who gains and loses by it. May be repeated.")
]
Remove = Annotated[
    list[str] | None, typer.Option("--remove", help="Who gains and loses by this one of the experts. May be repeated.")
]
Merged = Annotated[bool, typer.Option("--merged", help="Search one index of all collections as well.")]


def retrieval(
    data: Data,
    *,
    experts: ExpertNames = EXPERTS,
    merged: Merged = False,
    embedder: EmbedderName = "minilm",
    adapt: Adapters = None,
    fuse: Fuse = False,
    add: Add = None,
    remove: Remove = None,
    rule: RouterRule = "mean",
    similarity: PilotSimilarity = "dot",
    folds: Folds = FOLDS,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """nDCG@10 of retrievers, and of a router between them, on collections with judged queries.

    Experts are `bm25` and embedders by alias, path or hub id. The router knows queries by --embedder, and learns on the
    other folds which expert does best on queries like them.

    With --adapt there is one expert more a collection, named as minilm:cran, trained on the other folds alone.

    Example: orchestrator eval retrieval beir:nfcorpus.zip smart:cran --merged --adapt minilm --fuse --rule auto
    """
    from eval.suites.retrieval import Pool, Routing, judge_retrieval
    from orchestrator.experts.retriever.shelf import WORDS

    with judging() as progress:
        datasets = opened(data, progress)
        added = [name for name in add or () if ADAPTED not in name]
        names = tuple(dict.fromkeys([*(names_of(experts) or ()), *added]))
        embedders = _loaded({*names, embedder} - {WORDS}, progress)
        if embedder not in embedders:
            raise DataError([f"--embedder {embedder}: the router needs vectors, which {WORDS} has not"])
        findings = judge_retrieval(
            datasets,
            Pool(retrievers={name: embedders.get(name) for name in names}, adapt=adapt, fuse=fuse),
            embedder=embedders[embedder],
            merged=merged,
            routing=Routing(rule=rule, similarity=similarity),
            without=[*(add or ()), *(remove or ())],
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
