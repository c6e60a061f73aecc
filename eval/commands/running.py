"""What every suite does around its own work: read data, show progress, tell of bad data, print and keep the result."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.datasets import DataError, Dataset
from eval.datasets.catalogue import open_dataset
from eval.datasets.problems import printable
from eval.findings import Findings, flat
from eval.measures import measure
from eval.metrics import Figure
from routers.errors import TrainingError

__all__ = ["BAD_DATA", "Progress", "finish", "judging", "opened"]

BAD_DATA = 2

STDOUT = Path("-")
EXPLAINED_FROM = 110
"""Columns of a terminal from which on the table has room for meanings."""
LONGEST_NOTE = 1000

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called as (what, done, total); each `what` has a bar of its own."""


@contextmanager
def judging() -> Iterator[Progress]:
    """Progress bars on stderr; data that cannot be used ends with its places on stderr and exit status 2."""
    from orchestrator.cli.progress import progress_bars

    try:
        with progress_bars() as progress:
            yield progress
    except (DataError, TrainingError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(
            "\n".join(error.problems), markup=False
        )
        raise typer.Exit(BAD_DATA) from error


def opened(specs: Sequence[str], progress: Progress) -> list[Dataset]:
    """Every data set that is named; raises DataError with the problems of all of them at once."""
    datasets: list[Dataset] = []
    problems: list[str] = []
    for number, spec in enumerate(specs, start=1):
        try:
            datasets.append(open_dataset(spec))
        except DataError as error:
            problems += error.problems
        progress("reading", number, len(specs))
    if problems:
        raise DataError(problems)
    return datasets


def finish(findings: Findings, *, json_file: Path | None, report: Path | None) -> None:
    """Print the figures as a table, and write what was asked for; `-` as file prints the JSON instead."""
    try:
        if json_file not in (None, STDOUT):
            findings.write(json_file)
        if report is not None:
            from eval.report import write_report

            write_report(findings, report)
    except OSError as error:
        raise DataError([f"{error.filename}: cannot be written ({error.strerror})"]) from error
    if json_file == STDOUT:
        sys.stdout.write(json.dumps(findings.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print(findings)


def _print(findings: Findings) -> None:
    """A table for people; what each figure means only where there is room to read it."""
    console = Console(highlight=False, emoji=False)
    explained = console.width >= EXPLAINED_FROM
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), title=f"{findings.suite}")
    table.add_column("figure", no_wrap=True, overflow="ellipsis")
    for name in ("value", "95 % interval", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    if explained:
        table.add_column("meaning", style="dim", overflow="fold")
    for name, figure in flat(findings.figures):
        meaning = (measure(name).meaning,) if explained else ()
        table.add_row(Text(printable(name)), *_cells(figure), *meaning)
    console.print(table)
    for note in findings.notes:
        console.print(f"note: {printable(note, LONGEST_NOTE)}", markup=False, soft_wrap=True)


def _cells(figure: Figure) -> tuple[str, str, str]:
    value = "undefined" if figure.value != figure.value else f"{figure.value:.4g}"
    interval = "" if figure.ci95 is None else f"{figure.ci95[0]:.4g} to {figure.ci95[1]:.4g}"
    return value, interval, str(figure.n)
