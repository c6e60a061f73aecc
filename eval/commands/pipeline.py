"""The verb `orchestrator eval pipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from eval.commands.options import Config, Data, JsonFile, ReportFolder, Seed

if TYPE_CHECKING:
    from eval.commands.running import Progress
    from eval.datasets import Dataset
    from eval.findings import Findings
    from orchestrator.config import Config as Settings

__all__ = ["pipeline"]

Model = Annotated[str, typer.Option("--model", "-m", help="auto, fuse, or the id of an expert.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Ask only so many queries, drawn by the seed.")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="So many queries are under way at a time.")]
Deadline = Annotated[
    float | None, typer.Option("--deadline-s", min=0.001, help="Seconds a query may take; default: budget.deadline_s.")
]


def pipeline(
    data: Data,
    *,
    config: Config = Path("experts.yaml"),
    model: Model = "auto",
    limit: Limit = None,
    concurrency: Concurrency = 4,
    deadline_s: Deadline = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """Run the live orchestrator over questions and grade its answers.

    Example: orchestrator eval pipeline example/queries_held_out.jsonl --limit 40 --json before.json
    """
    from eval.commands.running import finish, judging, opened
    from eval.suites.pipeline import judge_pipeline, questions_of, sampled
    from orchestrator.cli.log import configure_log
    from orchestrator.cli.options import read_config
    from orchestrator.engine import running
    from orchestrator.errors import RunError

    async def run(settings: Settings, datasets: list[Dataset], progress: Progress) -> Findings:
        async with running(settings) as engine:
            return await judge_pipeline(
                engine, datasets, model=model, limit=limit, concurrency=concurrency, seed=seed, progress=progress
            )

    configure_log(least="error")  # what went wrong with a query is in the findings
    settings = _within(read_config(config), deadline_s)
    with judging() as progress:
        datasets = opened(data, progress)
        questions_of(sampled(datasets, limit=limit, seed=seed), settings, model=model)  # before anything is loaded
        findings = anyio.run(run, settings, datasets, progress)
        finish(findings, json_file=json_file, report=report)
    if not any(findings.queries.values["answered"]):
        raise RunError("not one query was answered; the errors are above; try 'orchestrator experts'")


def _within(settings: Settings, deadline_s: float | None) -> Settings:
    """The configuration with another deadline, so that retries and fallbacks heed it too."""
    if deadline_s is None:
        return settings
    return settings.model_copy(update={"budget": settings.budget.model_copy(update={"deadline_s": deadline_s})})
