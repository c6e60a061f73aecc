"""The verb `orchestrator eval judges`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from eval.commands.options import Config, Data, ExpertNames, Folds, JsonFile, ReportFolder, Seed, names_of

if TYPE_CHECKING:
    from eval.commands.running import Progress
    from eval.datasets import Dataset
    from eval.findings import Findings
    from orchestrator.config import Config as Settings

__all__ = ["judges"]

FOLDS = 5

Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Judge only so many queries, drawn by the seed.")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="So many answers are judged at a time.")]
Deadline = Annotated[
    float | None,
    typer.Option("--deadline-s", min=0.001, help="Seconds a panel may take over one; default: budget.deadline_s."),
]


def judges(
    data: Data,
    *,
    config: Config = Path("experts.yaml"),
    experts: ExpertNames = None,
    limit: Limit = None,
    concurrency: Concurrency = 4,
    deadline_s: Deadline = None,
    folds: Folds = FOLDS,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """How far the panels of a configuration agree with grades that are known, whole, by judge and by criterion.

    The data: records with drafts (texts) and outcomes (their true scores); a preference is two of them. Beside the
    panel the same judges are asked for one score.

    Example: orchestrator eval judges example/eval/judged.jsonl --config panels.yaml --json judges.json
    """
    from eval.commands.running import finish, judging, opened
    from eval.suites.judges import judge_panels
    from orchestrator.cli.log import configure_log
    from orchestrator.cli.options import read_config
    from orchestrator.fleet.surroundings import embedders_of, experts_of

    async def run(settings: Settings, datasets: list[Dataset], progress: Progress) -> Findings:
        return await judge_panels(
            experts_of(settings, embedders_of(settings)),
            settings,
            datasets,
            experts=names_of(experts),
            limit=limit,
            folds=folds or FOLDS,
            concurrency=concurrency,
            seed=seed,
            progress=progress,
        )

    configure_log(least="error")  # what went wrong with a judge is in the findings
    settings = read_config(config)
    if deadline_s is not None:
        budget = settings.budget.model_copy(update={"deadline_s": deadline_s})
        settings = settings.model_copy(update={"budget": budget})
    with judging() as progress:
        findings = anyio.run(run, settings, opened(data, progress), progress)
        finish(findings, json_file=json_file, report=report)
