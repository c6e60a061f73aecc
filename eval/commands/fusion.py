"""The verb `orchestrator eval fusion`."""

from __future__ import annotations

from typing import Annotated

import typer

from eval.commands.options import (
    DataOrTest,
    ExpertNames,
    Folds,
    JsonFile,
    ReportFolder,
    Seed,
    TestData,
    TrainData,
    names_of,
)
from eval.commands.running import finish, judging, opened
from eval.datasets import DataError

__all__ = ["fusion"]

MostDrafts = Annotated[
    int | None, typer.Option("--max-drafts", min=1, help="Of a query; who drafts is learned. Default: every expert.")
]


def fusion(
    data: DataOrTest = None,
    *,
    experts: ExpertNames = None,
    max_drafts: MostDrafts = None,
    train: TrainData = None,
    test: TestData = None,
    folds: Folds = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """Do several drafts and a verdict beat one expert, and at how many calls.

    Goes by recorded drafts whose answers were extracted. What votes and the policy know of the experts they learn from
    --train, or from the other folds of the data.

    Example: orchestrator eval fusion mmlu-pro:preds.jsonl.gz --experts a,b,c --max-drafts 3 --report out
    """
    from eval.suites.fusion import judge_fusion

    with judging() as progress:
        if not (judged := [*(data or []), *(test or [])]):
            raise DataError(["nothing to judge by: name DATA, or --test beside --train"])
        datasets = opened([*(train or []), *judged], progress)
        learned = len(train or [])
        findings = judge_fusion(
            datasets[learned:],
            train=datasets[:learned],
            experts=names_of(experts),
            most_drafts=max_drafts,
            folds=folds,
            seed=seed,
            progress=progress,
        )
        finish(findings, json_file=json_file, report=report)
