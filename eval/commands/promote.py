"""The verb `orchestrator promote`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.commands.embedding import stored_embedder
from eval.commands.running import Progress, judging, opened
from eval.datasets import DataError
from eval.datasets.problems import did_you_mean
from orchestrator.cli.options import AsJson, ConfigFile, read_config

if TYPE_CHECKING:
    from eval.metrics import Figure
    from eval.promotion import Promotion
    from orchestrator.config import Config
    from routers.embedding import Embedder

__all__ = ["promote"]

REFUSED = 1
FILE_WIDTH = 400
STYLES = {"better": "green", "worse": "bold red", "not shown": "red"}

Data = Annotated[
    Path | None, typer.Option("--data", help="JSONL file of {query, category}, instead of routing.examples.")
]
Scores = Annotated[
    Path | None, typer.Option("--scores", help="JSONL file of graded outcomes, instead of routing.scores.")
]
Candidate = Annotated[
    Path | None, typer.Option("--candidate", help="Folder of a trained router, instead of training one.")
]
Replay = Annotated[
    list[str] | None,
    typer.Option(
        "--replay",
        help="Fresh queries whose category or graded outcomes are known, as for 'eval': reader:path or a JSONL file. "
        "Without it both recipes learn again on folds. May be repeated.",
    ),
]
Tolerance = Annotated[
    list[str] | None,
    typer.Option("--tolerance", help="FIGURE=VALUE: how much worse a figure may be. May be repeated."),
]


def promote(
    config: ConfigFile = Path("experts.yaml"),
    *,
    data: Data = None,
    scores: Scores = None,
    candidate: Candidate = None,
    replay: Replay = None,
    tolerance: Tolerance = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Of the comparison, without --replay.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of training, folds and intervals.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare and report; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a candidate, compare it with the artifact that serves, and promote it or refuse; exit status 1 if refused.

    It is promoted where no figure can be worse by more than its tolerance. A running service takes it over by itself.

    Example: orchestrator promote experts.yaml --replay graded_last_week.jsonl
    """
    from eval.promotion import promote as promoted

    settings = read_config(config)
    with judging() as progress:
        found = promoted(
            settings,
            embedders=_embedders(settings, progress),
            data=data,
            scores=scores,
            candidate=candidate,
            replay=opened(replay, progress) if replay else (),
            tolerances=_tolerances(tolerance or []),
            folds=folds,
            seed=seed,
            dry_run=dry_run,
            progress=progress,
        )
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, allow_nan=False))
    else:
        _print(found)
    if found.reasons:
        raise typer.Exit(REFUSED)


def _embedders(config: Config, progress: Progress) -> Callable[[str], Embedder]:
    """By name, each loaded once, and remembering on disk what it embeds."""
    return cache(lambda name: stored_embedder(name, progress, folder=config.folder, engine=config.engine))


def _tolerances(given: list[str]) -> dict[str, float]:
    from eval.promotion import TOLERANCES

    wanted = dict(TOLERANCES)
    problems = []
    for text in given:
        name, _, value = text.partition("=")
        if name not in TOLERANCES:
            known = ", ".join(TOLERANCES)
            problems.append(f"--tolerance {text}: no figure {name!r}{did_you_mean(name, TOLERANCES)}; known: {known}")
            continue
        try:
            wanted[name] = float(value)
        except ValueError:
            wanted[name] = math.nan
        if not 0 <= wanted[name] < math.inf:
            problems.append(f"--tolerance {text}: {value!r} is not a number of 0 or more")
    if problems:
        raise DataError(problems)
    return wanted


def _print(found: Promotion) -> None:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), title="candidate against the artifact that serves")
    for name in ("figure", "serving", "candidate", "difference", "95 % interval", "n", "tolerance", "verdict"):
        column = "left" if name in {"figure", "verdict"} else "right"
        table.add_column(name, justify=column, no_wrap=True)  # type: ignore[arg-type]
    for one in found.rulings:
        cells = (
            one.name,
            _number(one.serving),
            _number(one.candidate),
            _number(one.difference, signed=True),
            "" if one.difference.ci95 is None else "{:+.4f} to {:+.4f}".format(*one.difference.ci95),
            str(one.difference.n),
            f"{one.tolerance:.4g}",
            one.verdict,
        )
        table.add_row(*map(Text, cells), style=STYLES.get(one.verdict, ""))
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:  # a file or a pipe takes lines of any length
        console.width = FILE_WIDTH
    if found.rulings:
        console.print(table)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(found.outcome, markup=False, soft_wrap=True)


def _number(figure: Figure, *, signed: bool = False) -> str:
    if math.isnan(figure.value):
        return "undefined"
    return f"{figure.value:+.4f}" if signed else f"{figure.value:.4f}"
