"""`check` and `schema`: whether a configuration is right, what its experts are like now, and what may stand in one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import anyio
import typer

from orchestrator.cli.options import AsJson, ConfigFile
from orchestrator.config import json_schema, load
from orchestrator.config.problems import Problem, lines, spelled
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.config.loading import Loaded
    from orchestrator.experts import LiveGrade

__all__ = ["check", "schema"]

BAD_CONFIG = 2
DOWN = 1


class _Found(NamedTuple):
    """One thing that an expert told when it was reached."""

    expert: str
    grade: LiveGrade
    problem: Problem


def check(
    config: ConfigFile = Path("experts.yaml"),
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Reach every expert too, and tell what does not fit; changes nothing.")
    ] = False,
    limit_s: Annotated[float, typer.Option("--limit", help="With --live: most seconds for an expert.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Check a configuration and report every problem at once, each with its place.

    Exit status 2 when there is a mistake, in the file or in what it names; with --live 1 when all that is wrong is that
    somebody cannot be reached now.

    Example: orchestrator check experts.yaml --live
    """
    try:
        loaded = load(config, environment=os.environ)
    except ConfigError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "problems": list(error.problems), "notes": []}, indent=2))
        raise typer.Exit(BAD_CONFIG) from error
    found = anyio.run(_reach, loaded, limit_s) if live else []
    wrong = [each for each in found if each.grade != "note"]
    if as_json:
        print(json.dumps(_as_dict(loaded, found, live=live), indent=2))
    else:
        _print(loaded, found, wrong)
    if wrong:
        raise typer.Exit(BAD_CONFIG if any(each.grade == "config" for each in wrong) else DOWN)


async def _reach(loaded: Loaded, limit_s: float) -> list[_Found]:
    from orchestrator.live_check import live_problems

    by_expert = await live_problems(loaded.config, limit_s=limit_s)
    return [
        _Found(expert, problem.grade, loaded.problem(("experts", expert, *problem.key), problem.message))
        for expert, problems in by_expert.items()
        for problem in problems
    ]


def _print(loaded: Loaded, found: list[_Found], wrong: list[_Found]) -> None:
    said = lines([each.problem for each in found if each.grade == "note"], loaded.file)
    for line in [*(f"note: {note}" for note in (*loaded.notes, *said)), *_lines(loaded, wrong)]:
        print(line)
    if not wrong:
        config = loaded.config
        print(f"{loaded.file}: ok ({len(config.categories)} categories, {len(config.experts)} experts)")


def _lines(loaded: Loaded, found: list[_Found]) -> list[str]:
    return lines([each.problem for each in found], loaded.file)


def _as_dict(loaded: Loaded, found: list[_Found], *, live: bool) -> dict[str, object]:
    """live: what was found by reaching experts, with its parts; null where none was reached."""
    wrong = [each for each in found if each.grade != "note"]
    notes = [each for each in found if each.grade == "note"]
    return {
        "ok": not wrong,
        "problems": _lines(loaded, wrong),
        "notes": [*loaded.notes, *_lines(loaded, notes)],
        "live": [_entry(each) for each in found] if live else None,
    }


def _entry(found: _Found) -> dict[str, object]:
    mark, path, message = found.problem.mark, found.problem.path, found.problem.message
    place = {"line": mark.line, "column": mark.column, "path": spelled(path)}
    return {"expert": found.expert, "grade": found.grade, **place, "message": message}


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
