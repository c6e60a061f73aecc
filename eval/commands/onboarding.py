"""The verb `orchestrator eval onboarding`."""

from __future__ import annotations

from typing import Annotated

import typer

from eval.commands.options import Data, ExpertNames, JsonFile, ReportFolder, Seed, names_of
from eval.commands.running import finish, judging, opened
from eval.datasets import DataError

__all__ = ["onboarding"]

NewExpert = Annotated[str, typer.Option("--new-expert", help="Left out in turn: all, or names separated by commas.")]
ShotCounts = Annotated[str, typer.Option("--shots", help="How many graded queries, separated by commas.")]
Draws = Annotated[int, typer.Option("--draws", min=1, help="Sets of shots a fold and expert.")]
Folds = Annotated[int, typer.Option("--folds", min=2, help="Each is judged once, by what is learned from the others.")]


def onboarding(
    data: Data,
    *,
    experts: ExpertNames = None,
    new_expert: NewExpert = "all",
    shots: ShotCounts = "5,10,20,50",
    draws: Draws = 5,
    folds: Folds = 5,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """What a new expert's few graded queries tell, and what its place in the mapping is worth.

    Needs records with outcomes and categories. Each expert in turn is left out and then added again.

    Example: orchestrator eval onboarding routerbench:../shared/data/routerbench_zs --new-expert all --shots 5,20
    """
    from eval.suites.onboarding import judge_onboarding

    with judging() as progress:
        findings = judge_onboarding(
            opened(data, progress),
            experts=names_of(experts),
            new=names_of(new_expert) or ("all",),
            shots=_counts(shots),
            draws=draws,
            folds=folds,
            seed=seed,
            progress=progress,
        )
        finish(findings, json_file=json_file, report=report)


def _counts(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise DataError([f"--shots {text}: expected numbers separated by commas, as 5,10,20,50"])
    return tuple(int(part) for part in parts)
