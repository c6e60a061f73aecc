"""`generations` and `rollback`: the artifacts that are kept, and having an older one serve again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.options import AsJson, ConfigFile, read_config

if TYPE_CHECKING:
    from orchestrator.generations import Generation

__all__ = ["generations", "rollback"]

FILE_WIDTH = 400
SHOWN = ("accuracy", "ece", "score", "cost_usd")


def generations(config: ConfigFile = Path("experts.yaml"), as_json: AsJson = False) -> None:
    """List the artifacts that are kept: number, when and why, by which figures, and which one serves.

    Example: orchestrator generations experts.yaml
    """
    from orchestrator.generations import Generations

    kept = Generations.of(read_config(config))
    found = kept.all()
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
    elif found:
        _print(found)
    else:
        print(f"none are kept at {kept.folder}: 'orchestrator promote' makes the first")


def rollback(
    config: ConfigFile = Path("experts.yaml"),
    to: Annotated[
        int | None, typer.Option("--to", help="The number of a generation; default: what the serving one replaced.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have an artifact serve again that served before; a running service takes it over by itself.

    Example: orchestrator rollback experts.yaml --to 3
    """
    from orchestrator.generations import Generations

    serves = Generations.of(read_config(config)).roll_back(to)
    if as_json:
        print(serves.model_dump_json(indent=2))
    else:
        print(f"generation {serves.number} serves ({serves.why})")


def _print(found: list[Generation]) -> None:
    table = Table("", "number", "created", "why", "figures", "artifact", box=SIMPLE, padding=(0, 1, 0, 0))
    for one in found:
        artifact = one.sha256[:12] if one.sha256 else f"damaged: {one.problem}"
        created = f"{one.created:%Y-%m-%d %H:%M} UTC"
        cells = ("*" if one.serves else "", str(one.number), created, one.why, _figures(one), artifact)
        table.add_row(*map(Text, cells), style="bold green" if one.serves else "")
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:  # a file or a pipe takes lines of any length
        console.width = FILE_WIDTH
    console.print(table)
    print("* serves")


def _figures(one: Generation) -> str:
    """Of the artifact as it was measured when it was promoted."""
    values = {name: one.figures[name]["candidate"]["value"] for name in SHOWN if name in one.figures}
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items() if value is not None)
