"""The verbs together, and the one mapping from errors to exit statuses: 2 for bad input, 1 for a failed run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import typer
from rich.console import Console

from orchestrator.cli import (
    ask,
    batch,
    check,
    experts,
    generations,
    mapping,
    mcp,
    prepare,
    search,
    serve,
    simulate,
    train,
    up,
    usage,
)
from orchestrator.cli.log import configure_log
from orchestrator.errors import ConfigError, OrchestratorError, sole
from routers.errors import InfeasibleBudget, RouterError, TrainingError

__all__ = ["build", "main"]

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130


def build(*, verb: str | None = None) -> typer.Typer:
    """All verbs; packages add theirs through entry points `orchestrator.commands`: a function, or an app of several.

    verb: the one that is asked for; where it is one of ours those of packages are not loaded, which takes a second.
    """
    app = typer.Typer(
        name="orchestrator",
        help="One endpoint in front of all your experts: models, adapters, retrievers and tools.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    verbs: list[Callable[..., None]] = [
        serve.serve,
        ask.ask,
        ask.route,
        batch.batch,
        train.train,
        mapping.mapping,
        generations.generations,
        generations.rollback,
        check.check,
        check.schema,
        experts.experts,
        mcp.mcp,
        prepare.prepare,
        search.search,
        simulate.simulate,
        up.up,
    ]
    for ours in verbs:
        app.command()(ours)
    app.add_typer(usage.app, name="usage")
    if verb in {*(one.__name__ for one in verbs), "usage"}:
        return app
    for entry in sorted(entry_points(group="orchestrator.commands"), key=lambda entry: entry.name):
        added = entry.load()
        if isinstance(added, typer.Typer):
            app.add_typer(added, name=entry.name)
        else:
            app.command(name=entry.name)(added)
    return app


def main() -> None:
    """Run the command line; no stack trace for an error that is meant."""
    problems = Console(stderr=True, highlight=False, soft_wrap=True)
    configure_log(least="warning")
    try:
        build(verb=next(iter(sys.argv[1:]), None))()
    except (ConfigError, TrainingError, InfeasibleBudget) as error:
        problems.print(str(error), markup=False)
        sys.exit(BAD_INPUT)
    except (OrchestratorError, RouterError) as error:
        problems.print(f"error: {error}", markup=False)
        sys.exit(FAILED)
    except BaseExceptionGroup as group:  # a task group's: what a server that would not start leaves
        first = sole(group)
        if not isinstance(first, OrchestratorError | RouterError):
            raise
        problems.print(f"error: {first}", markup=False)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
