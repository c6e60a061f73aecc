"""The verb `orchestrator eval`: one sub-command a suite."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from eval.datasets import DataError
from orchestrator.config import load

if TYPE_CHECKING:
    from eval.categories import CategoryReport

__all__ = ["app"]

BAD_DATA = 2

app = typer.Typer(help="Measure a router offline, on data whose answers are known.", no_args_is_help=True)


@app.callback()
def suites() -> None:
    """Measure a router offline, on data whose answers are known."""


@app.command()
def categories(
    data: Annotated[Path, typer.Argument(help="JSONL file of {query, category}; not what the router was trained on.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("experts.yaml"),
    wrong: Annotated[int, typer.Option(help="Show so many of the queries that went wrong.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,  # noqa: FBT002 - typer
) -> None:
    """Accuracy, coverage and confusion of the trained router.

    Example: orchestrator eval categories example/queries_held_out.jsonl
    """
    from eval.categories import judge_categories
    from orchestrator.cli.progress import progress_bars
    from orchestrator.training import load_router
    from routers.embedding.load import load_embedder
    from routers.examples import read_examples

    settings = load(config, environment=os.environ).config
    examples = read_examples(data)
    router = load_router(settings, load_embedder(settings.embedder, folder=settings.folder))
    with _bad_data_told(), progress_bars() as progress:
        report = judge_categories(router, examples, progress=lambda done, total: progress("classifying", done, total))
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
        return
    _print(report, wrong)


@contextmanager
def _bad_data_told() -> Iterator[None]:
    """Data that cannot be used is a mistake of the input: its places on stderr, exit status 2."""
    try:
        yield
    except DataError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print("\n".join(error.problems), markup=False)
        raise typer.Exit(BAD_DATA) from error


def _print(report: CategoryReport, wrong: int) -> None:
    console = Console(highlight=False)
    console.print(f"accuracy       {report.accuracy}")
    console.print(f"without gate   {report.top_accuracy}")
    console.print(f"macro F1       {report.macro_f1}")
    console.print(f"gated          {report.gated} sent to general")
    console.print(f"category sets  {report.coverage} hold the true one, {report.mean_set_size:.2f} categories each")
    console.print(_confusion_table(report))
    for row in report.wrong[:wrong]:
        confidence = f"({row['confidence']:.2f})"
        console.print(f"{row['category']} -> {row['sent_to']} {confidence} {row['query']}", markup=False)


def _confusion_table(report: CategoryReport) -> Table:
    """Rows are true categories; columns are numbered like the rows, so that many fit on a screen."""
    labels = list(report.confusion)
    numbers = [str(number) for number in range(1, len(labels) + 1)]
    table = Table(title="confusion: rows are true, columns where queries were sent", box=SIMPLE, padding=(0, 0, 0, 1))
    table.add_column("")
    for number in [*numbers, "recall"]:
        table.add_column(number, justify="right")
    for number, (label, row) in zip(numbers, report.confusion.items(), strict=True):
        recall = f"{report.recall[label].value:.2f}" if label in report.recall else ""
        table.add_row(f"{number:>2} {label}", *[str(row[guess]) if row[guess] else "·" for guess in labels], recall)
    return table
