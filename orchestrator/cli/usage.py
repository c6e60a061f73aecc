"""`usage`: what the use of the service tells, and turning it into something to train on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.options import AsJson, ConfigOption, read_config
from orchestrator.errors import RunError

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.usage.export import Exported
    from orchestrator.usage.report import UsageReport

__all__ = ["app"]

app = typer.Typer(
    help="Learn from use: reports on decisions and feedback, and training data from them.", no_args_is_help=True
)

UsageFile = Annotated[Path | None, typer.Argument(help="A usage file, instead of usage.file of the configuration.")]

ALARMS = {
    "never_chosen": "never asked; expected share of its categories' queries if all were used alike",
    "falling": "mean score, earlier and later half",
    "failing": "share of calls answered, earlier and later half",
    "starved_examples": "examples to learn from: wanted, there",
    "starved_grades": "graded decisions: to be expected, there",
    "category_says_nothing": "the expert hardly depends on the category: adjusted mutual information, wanted and found",
}


@app.command()
def report(
    file: UsageFile = None,
    config: ConfigOption = Path("experts.yaml"),
    as_json: AsJson = False,
) -> None:
    """Show what has moved, which categories are missing, and how the experts do.

    Example: orchestrator usage report
    """
    settings = read_config(config)
    path = _path(settings, file)
    made = _made(settings, path)
    if as_json:
        print(json.dumps(made.as_dict(), indent=2))
        return
    console = Console(highlight=False)
    for part in [*_head(path, made), *_drift(made), *_missing(settings, made), *_health(made)]:
        console.print(part, soft_wrap=isinstance(part, Text))


@app.command()
def export(  # noqa: PLR0917 - typer's arguments
    file: UsageFile = None,
    config: ConfigOption = Path("experts.yaml"),
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Write {query, category} here, for 'orchestrator train --data'.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option("--scores", help="Write graded outcomes here, for 'orchestrator train --scores'.")
    ] = None,
    together: Annotated[
        bool,
        typer.Option(
            "--together", help="With what routing.examples and routing.scores hold; what feedback says counts more."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn feedback into training data.

    Example: orchestrator usage export --together --examples examples.jsonl --scores scores.jsonl
    """
    if examples is None and scores is None:
        raise typer.BadParameter("give --examples FILE, --scores FILE, or both")
    settings = read_config(config)
    done = _export(settings, _path(settings, file), examples=examples, scores=scores, together=together)
    if as_json:
        print(json.dumps({str(path): _counts(exported) for path, exported in done.items()}, indent=2))
        return
    for path, exported in done.items():
        print(f"{path}: {len(exported.rows)} lines, {exported.new} of them from use")
        for reason, count in exported.passed_over.items():
            print(f"  passed over: {count}, since {reason}")


def _path(config: Config, file: Path | None) -> Path:
    if file is not None:
        return file
    if config.usage.file is None:
        raise RunError("the configuration names no usage.file; set it, or name a file")
    return config.path(config.usage.file)


def _made(config: Config, path: Path) -> UsageReport:
    from orchestrator.fleet.surroundings import embedders_of
    from orchestrator.training import examples_of
    from orchestrator.usage.lines import read_usage

    try:
        from orchestrator.usage.report import report_of
    except ImportError as error:
        raise RunError(f"the report needs river ({error}); run 'pip install expert-orchestrator[usage]'") from error
    return report_of(
        read_usage(path),
        config,
        examples=examples_of(config),
        embedder=lambda: embedders_of(config).load(config.embedder),
    )


def _export(
    config: Config, path: Path, *, examples: Path | None, scores: Path | None, together: bool
) -> dict[Path, Exported]:
    from orchestrator.graded import graded_of
    from orchestrator.usage.export import examples_from, outcomes_from, write_lines
    from orchestrator.usage.lines import read_usage
    from routers.examples import read_examples

    usage = read_usage(path)
    done: dict[Path, Exported] = {}
    if examples is not None:
        source = config.routing.examples if together else None
        known = read_examples(config.path(source)) if source else []
        done[examples] = examples_from(usage, config, known=known)
    if scores is not None:
        graded = graded_of(config) if together else None
        done[scores] = outcomes_from(usage, config, known=graded.lines if graded else ())
    for target, exported in done.items():
        write_lines(target, exported.rows)
    return done


def _counts(exported: Exported) -> dict[str, object]:
    return {"lines": len(exported.rows), "new": exported.new, "passed_over": dict(exported.passed_over)}


def _head(path: Path, made: UsageReport) -> list[Text]:
    lines = [f"{path}: {made.decisions} decisions, {made.feedback} with feedback, {made.gated} sent away by the gate"]
    if made.unreadable:
        first = ", ".join(made.unreadable[:3])
        lines.append(f"{len(made.unreadable)} lines could not be read: {first}{', …' if made.unreadable[3:] else ''}")
    return [Text(line) for line in lines]


def _drift(made: UsageReport) -> list[Table | Text]:
    if not made.alerts:
        return [Text("\nnothing has moved")]
    table = Table(
        "raised", "signal", "slice", "before", "after", "since", "values", "led by", title="drift", box=SIMPLE
    )
    for alert in made.alerts:
        table.add_row(
            f"{alert.raised:%Y-%m-%d %H:%M:%S}",
            alert.signal,
            Text(f"{alert.slice} {alert.name}".strip()),
            f"{alert.before:.3f}",
            f"{alert.after:.3f}",
            alert.since,
            str(alert.values),
            Text(alert.led_by or ""),
        )
    return [table]


def _missing(config: Config, made: UsageReport) -> list[Table | Text]:
    if not made.proposals:
        return [Text("no new category to propose" if made.with_text or not made.gated else _NO_TEXT)]
    from orchestrator.usage.report import as_yaml

    table = Table("name", "queries", "density", "nearest", "for example", title="proposed categories", box=SIMPLE)
    for proposal in made.proposals:
        nearest = f"{proposal.nearest} ({proposal.nearest_share:.0%})" if proposal.nearest else ""
        table.add_row(
            proposal.name,
            str(proposal.size),
            f"{proposal.density:.2f}",
            Text(nearest),
            Text("\n".join(proposal.examples[:3])),
        )
    return [table, Text("to paste under `categories`, once looked over:"), Text(as_yaml(made.proposals, config))]


_NO_TEXT = "no category can be proposed: the queries are not kept (usage.content)"


def _health(made: UsageReport) -> list[Table | Text]:
    parts: list[Table | Text] = []
    if made.health.alarms:
        table = Table("alarm", "of", "n", "expected", "found", "what that is", title="alarms", box=SIMPLE)
        for alarm in made.health.alarms:
            name = alarm.kind.replace("_", " ")
            numbers = (str(alarm.n), f"{alarm.expected:.3g}", f"{alarm.found:.3g}")
            table.add_row(name, Text(alarm.subject), *numbers, ALARMS[alarm.kind])
        parts.append(table)
    else:
        parts.append(Text("no alarms"))
    found = made.health.dependence
    if found is not None:
        parts.append(
            Text(
                f"the category says {found.bits:.2f} bits of who answers: {found.share:.0%} of what there is to say, "
                f"{found.adjusted:.2f} adjusted for chance ({found.n} decisions)"
            )
        )
    return parts
