"""The verb `orchestrator eval compare`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.commands.options import Seed
from eval.commands.running import judging

if TYPE_CHECKING:
    from eval.compare import Change, Comparison

__all__ = ["compare"]

REGRESSION = 1
STDOUT = Path("-")
STYLES = {"better": "green", "worse": "red", "changed": "yellow"}

Before = Annotated[Path, typer.Argument(metavar="A.json", help="The findings before, written by --json.")]
After = Annotated[Path, typer.Argument(metavar="B.json", help="The findings after.")]
Tolerance = Annotated[float, typer.Option("--tolerance", min=0.0, help="Worse by no more than this is let pass.")]
FigureNames = Annotated[
    list[str] | None,
    typer.Option("--figure", help="Fail for this one as well, as score_by_category.code. May be repeated."),
]
JsonOut = Annotated[Path | None, typer.Option("--json", help="Write the comparison; - for stdout.")]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write it as Markdown, for a pull request.")]


def compare(
    before: Before,
    after: After,
    *,
    tolerance: Tolerance = 0.0,
    figure: FigureNames = None,
    seed: Seed = 0,
    json_file: JsonOut = None,
    markdown: Markdown = None,
) -> None:
    """Say of every figure whether B is better, worse or not distinguishable; exit status 1 on a regression.

    A regression is a figure that is worse, distinguishably, and by more than --tolerance. Figures without a dot in
    their name count, and those that --figure names.

    Example: orchestrator eval compare before.json after.json --tolerance 0.01
    """
    from eval.compare import compare as compared
    from eval.comparison_markdown import as_markdown
    from eval.datasets import DataError
    from eval.findings import read_findings

    with judging():
        gate = tuple(figure or ())
        found = compared(read_findings(before), read_findings(after), tolerance=tolerance, gate=gate, seed=seed)
        try:
            if markdown is not None:
                markdown.write_text(as_markdown(found), encoding="utf-8")
            if json_file not in {None, STDOUT}:
                json_file.write_text(_json(found), encoding="utf-8")
        except OSError as error:
            raise DataError([f"{error.filename}: cannot be written ({error.strerror})"]) from error
    if json_file == STDOUT:
        sys.stdout.write(_json(found))
    else:
        _print(found)
    if found.regressions:
        raise typer.Exit(REGRESSION)


def _json(found: Comparison) -> str:
    return json.dumps(found.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _print(found: Comparison) -> None:
    from eval.comparison_markdown import NOTHING, cells_of

    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), title=found.suite)
    for name in ("figure", "before", "after", "difference", "95 % interval", "n", "verdict"):
        column = "left" if name in {"figure", "verdict"} else "right"
        table.add_column(name, justify=column, no_wrap=name == "figure")  # type: ignore[arg-type]
    for change in found.changes:
        table.add_row(*map(Text, cells_of(change)), style=_style(change))
    console = Console(highlight=False, emoji=False)
    console.print(table if found.changes else NOTHING)
    for note in found.remarks:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(found.summary, markup=False, soft_wrap=True)


def _style(change: Change) -> str:
    return "bold red" if change.regression else STYLES.get(change.verdict, "")
