"""The verb `orchestrator eval`: one sub-command a suite, and `compare`."""

from __future__ import annotations

import typer

from eval.commands.categories import categories
from eval.commands.compare import compare
from eval.commands.episodes import episodes
from eval.commands.fusion import fusion
from eval.commands.judges import judges
from eval.commands.mapping import mapping
from eval.commands.onboarding import onboarding
from eval.commands.pipeline import pipeline
from eval.commands.retrieval import retrieval
from eval.commands.tools import tools
from eval.commands.uncertain import uncertain

__all__ = ["app"]

app = typer.Typer(help="Measure routing offline, on data whose answers are known.", no_args_is_help=True)


@app.callback()
def suites() -> None:
    """Measure routing offline, on data whose answers are known."""


for command in (
    categories,
    episodes,
    fusion,
    judges,
    mapping,
    onboarding,
    pipeline,
    retrieval,
    tools,
    uncertain,
    compare,
):
    app.command()(command)
