"""`train`: from examples to a router, and from graded outcomes to a mapping, with a report of what they know."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from orchestrator.cli import retrievers
from orchestrator.cli.options import AsJson, ConfigFile, read_config

if TYPE_CHECKING:
    from orchestrator.config import Config
    from routers.mapping.learned import LearnedMapping
    from routers.trained import Report, Trained

__all__ = ["train"]

JUDGED = "{query, relevant: [document ids] or {id: grade}, source}"


def train(
    config: ConfigFile = Path("experts.yaml"),
    *,
    data: Annotated[
        Path | None, typer.Option("--data", help="JSONL file of {query, category}, instead of routing.examples.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            help="JSONL file of graded outcomes {query or category, outcomes: {expert: {score, cost_usd, answer}}}, "
            "instead of routing.scores; where answers are recorded, fuse plans are tried too.",
        ),
    ] = None,
    add_expert: Annotated[
        str | None, typer.Option("--add-expert", help="Place this expert in the mapping that is there; needs --shots.")
    ] = None,
    shots: Annotated[
        Path | None,
        typer.Option(
            "--shots", help="JSONL file of the new expert's graded outcomes, five or more, in the format of --scores."
        ),
    ] = None,
    retriever: Annotated[
        str | None,
        typer.Option("--retriever", help="Train this retriever's adapter, a small change of its queries' vectors."),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option("--queries", help=f"JSONL file of {JUDGED} for --retriever, instead of routing.retrieval."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="For --retriever: only the queries of this source.")
    ] = None,
    add_retriever: Annotated[
        str | None,
        typer.Option("--add-retriever", help="Route to this retriever too: it is asked the known queries, no more."),
    ] = None,
    remove_retriever: Annotated[
        str | None, typer.Option("--remove-retriever", help="Route to this retriever no more; nobody is asked.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train the router on the configuration's examples and save the artifact.

    With graded outcomes it also learns, within the configuration's budget, which expert answers which category. With
    --add-expert nothing is trained again: a new expert gets its place from a few graded queries.

    With routing.retrieval it learns which retriever, or which two, a query is sent to. With --retriever,
    --add-retriever or --remove-retriever only that is done.

    Example: orchestrator train experts.yaml --data my_queries.jsonl --scores my_grades.jsonl
    """
    _check(add_expert, shots, data)
    _check_retrievers((retriever, add_retriever, remove_retriever), queries, source)
    settings = read_config(config)
    if retriever is not None:
        retrievers.train(settings, retriever, queries=queries, source=source, seed=seed, as_json=as_json)
        return
    if add_retriever is not None or remove_retriever is not None:
        retrievers.change(settings, add=add_retriever, remove=remove_retriever, as_json=as_json)
        return
    if add_expert is not None and shots is not None:
        _add(settings, add_expert, shots, scores=scores, as_json=as_json)
        return
    trained = run(settings, data=data, scores=scores, seed=seed)
    learned = trained.mapping.learned if trained.mapping else None
    routed = retrievers.learn(settings, seed=seed) if settings.routing.retrieval is not None else None
    if as_json:
        told = {} if routed is None else {"retrievers": retrievers.as_dict(routed)}
        print(json.dumps({**_as_dict(trained.report, learned), **told}, indent=2))
        return
    console = Console(highlight=False)
    console.print(_table(trained.report))
    console.print(_summary(trained.report), _mapping_line(learned), sep="\n")
    console.print(f"saved to {settings.path(settings.routing.artifact)}", highlight=False)
    if routed is not None:
        console.print(retrievers.line(routed))


def _check(add_expert: str | None, shots: Path | None, data: Path | None) -> None:
    if (add_expert is None) != (shots is None):
        message = "--add-expert and --shots need each other"
        raise typer.BadParameter(message)
    if add_expert is not None and data is not None:
        message = "--add-expert trains nothing on --data; leave one out"
        raise typer.BadParameter(message)


def _check_retrievers(given: tuple[str | None, ...], queries: Path | None, source: str | None) -> None:
    if sum(one is not None for one in given) > 1:
        message = "--retriever, --add-retriever and --remove-retriever are done one at a time"
        raise typer.BadParameter(message)
    if given[0] is None and (queries is not None or source is not None):
        message = "--queries and --source belong to --retriever"
        raise typer.BadParameter(message)


def _add(config: Config, expert: str, shots: Path, *, scores: Path | None, as_json: bool) -> None:
    from orchestrator.cli.onboarding import as_dict, place, show

    placement = place(config, expert, shots, scores=scores)
    if as_json:
        print(json.dumps(as_dict(placement), indent=2))
        return
    show(placement, Console(highlight=False))
    print(f"saved to {config.path(config.routing.artifact)}")


def run(config: Config, *, data: Path | None = None, scores: Path | None = None, seed: int = 0) -> Trained:
    """Train with progress bars."""
    from orchestrator.cli.progress import progress_bars
    from orchestrator.engine import embedders_of
    from orchestrator.training import train_router

    with progress_bars() as progress:
        embedder = embedders_of(config).load(config.embedder)
        return train_router(config, embedder, file=data, scores=scores, seed=seed, progress=progress)


def _as_dict(report: Report, learned: LearnedMapping | None) -> dict[str, object]:
    """The report, and of the mapping what was decided; `orchestrator mapping --json` has all of it."""
    if learned is None:
        return {**report.model_dump(mode="json"), "mapping": None}
    plans = {category: asdict(plan) for category, plan in learned.plans.items()}
    mapping = {"queries": learned.queries, "best_single": learned.best_single, "plans": plans}
    return {**report.model_dump(mode="json"), "mapping": mapping}


def _mapping_line(learned: LearnedMapping | None) -> str:
    if learned is None:
        return "mapping            none learned, as nothing was graded: experts as listed"
    fused = sum(plan.kind == "fuse" for plan in learned.plans.values())
    plans = f", fuse plans for {fused} of {len(learned.plans)} categories" if learned.drafted else ""
    return f"mapping            learned from {learned.queries} graded queries{plans}; see 'orchestrator mapping'"


def _table(report: Report) -> Table:
    table = Table("category", "examples", "recall", title="on held-out folds", box=SIMPLE)
    for row in report.categories:
        table.add_row(row.category, str(row.examples), f"{row.recall:.2f}")
    return table


def _calibrations(report: Report) -> str:
    both = report.calibration
    return f"{both.temperature.ece:.3f} by temperature, {both.isotonic.ece:.3f} by isotonic; {both.chosen} chosen"


def _summary(report: Report) -> str:
    fast = report.answered_fast
    return "\n".join(
        [
            f"queries            {report.examples} ({report.folds} folds, seed {report.seed})",
            f"accuracy           {report.accuracy:.3f}, macro F1 {report.macro_f1:.3f}",
            f"calibration error  {report.ece_before:.3f} before, {_calibrations(report)}",
            f"category sets      hold the true one in {report.coverage:.3f}, {report.mean_set_size:.2f} each",
            f"gate               below {report.threshold:.3f} goes to general; {report.kept:.3f} pass",
            *([] if fast is None else [f"fast tier          answers {fast:.3f}; the others are embedded"]),
        ]
    )
