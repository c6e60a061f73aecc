"""The verb `orchestrator eval tools`."""

from __future__ import annotations

from typing import Annotated

import typer

from eval.commands.embedding import NO_EMBEDDER, stored_embedder
from eval.commands.options import DataOrTest, EmbedderName, Folds, JsonFile, ReportFolder, Seed, TestData, TrainData
from eval.commands.running import finish, judging, opened
from eval.datasets import DataError

__all__ = ["tools"]

Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Judge only so many queries, drawn by the seed.")]


def tools(
    data: DataOrTest = None,
    *,
    train: TrainData = None,
    test: TestData = None,
    folds: Folds = None,
    embedder: EmbedderName = "minilm",
    limit: Limit = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """Is the right tool found among many, and is it noticed where there is none.

    Tools are ranked by their names, descriptions and parameters; with --train or --folds by example queries too.
    --embedder none goes by words alone.

    Example: orchestrator eval tools metatool:../shared/data/metatool --folds 5 --limit 4000 --json tools.json
    """
    from eval.suites.tools import judge_tools

    with judging() as progress:
        if not (judged := [*(data or []), *(test or [])]):
            raise DataError(["nothing to judge by: name DATA, or --test beside --train"])
        datasets = opened([*(train or []), *judged], progress)
        learned = len(train or [])
        findings = judge_tools(
            datasets[learned:],
            train=datasets[:learned],
            embedder=None if embedder == NO_EMBEDDER else stored_embedder(embedder, progress),
            folds=folds,
            limit=limit,
            seed=seed,
            progress=progress,
        )
        finish(findings, json_file=json_file, report=report)
