"""`check` and `schema`: whether a configuration is right, and what may stand in one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, ConfigFile
from orchestrator.config import json_schema, load
from orchestrator.errors import ConfigError

__all__ = ["check", "schema"]

BAD_CONFIG = 2


def check(config: ConfigFile = Path("experts.yaml"), as_json: AsJson = False) -> None:
    """Check a configuration and report every problem at once, each with its place.

    Exit status 2 when there are problems.

    Example: orchestrator check experts.yaml
    """
    if as_json:
        _check_json(config)
        return
    loaded = load(config, environment=os.environ)
    for note in loaded.notes:
        print(f"note: {note}")
    found = loaded.config
    print(f"{config}: ok ({len(found.categories)} categories, {len(found.experts)} experts)")


def _check_json(config: Path) -> None:
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    try:
        notes = load(config, environment=os.environ).notes
    except ConfigError as error:
        problems = error.problems
    print(json.dumps({"ok": not problems, "problems": list(problems), "notes": list(notes)}, indent=2))
    if problems:
        raise typer.Exit(BAD_CONFIG)


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """Print the JSON Schema of experts.yaml, for editors.

    Example: orchestrator schema -o experts.schema.json
    """
    text = json.dumps(json_schema(), indent=2)
    if output is None:
        print(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
