"""`train`: from examples to a router, with a report of what it knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from orchestrator.cli.options import AsJson, ConfigFile, read_config

if TYPE_CHECKING:
    from orchestrator.config import Config
    from routers.trained import Report

__all__ = ["train"]


def train(
    config: ConfigFile = Path("experts.yaml"),
    data: Annotated[
        Path | None, typer.Option("--data", help="JSONL file of {query, category}, instead of routing.examples.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train the router on the configuration's examples and save the artifact.

    Example: orchestrator train experts.yaml --data my_queries.jsonl
    """
    settings = read_config(config)
    report = run(settings, data=data, seed=seed)
    if as_json:
        print(report.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    console.print(_table(report))
    console.print(_summary(report))
    console.print(f"saved to {settings.path(settings.routing.artifact)}", highlight=False)


def run(config: Config, *, data: Path | None = None, seed: int = 0) -> Report:
    """Train with progress bars."""
    from orchestrator.cli.progress import progress_bars
    from orchestrator.training import train_router
    from routers.embedding.load import load_embedder

    with progress_bars() as progress:
        embedder = load_embedder(config.embedder, folder=config.folder)
        return train_router(config, embedder, file=data, seed=seed, progress=progress).report


def _table(report: Report) -> Table:
    table = Table("category", "examples", "recall", title="on held-out folds", box=SIMPLE)
    for row in report.categories:
        table.add_row(row.category, str(row.examples), f"{row.recall:.2f}")
    return table


def _summary(report: Report) -> str:
    return "\n".join(
        [
            f"queries            {report.examples} ({report.folds} folds, seed {report.seed})",
            f"accuracy           {report.accuracy:.3f}, macro F1 {report.macro_f1:.3f}",
            f"calibration error  {report.ece_before:.3f} before, {report.ece_after:.3f} after temperature scaling",
            f"category sets      hold the true one in {report.coverage:.3f}, {report.mean_set_size:.2f} each",
            f"gate               below {report.threshold:.3f} goes to general; {report.kept:.3f} pass",
        ]
    )
