"""What `train --add-expert` prints: which categories gain and which lose, and who is redundant now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from orchestrator.cli.interference import interference_lines, interference_table, report_dict

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.onboarding import Placement
    from routers.embedding import Embedder
    from routers.mapping.change import Gain
    from routers.mapping.plan import Plan

__all__ = ["as_dict", "place", "show"]

UNITS = {"usd_per_query": "USD a query", "active_params_b": "billion active parameters a query"}
WIDEST = 10_000
HEADINGS: dict[str, Literal["left", "right"]] = {
    "shots": "right",
    "expected score": "right",
    "its place": "right",
    "plan before": "left",
    "plan after": "left",
    "gain": "right",
    "cost before": "right",
    "cost after": "right",
    "verdict": "left",
}
STYLES = {"gains": "green", "loses": "red", "same": ""}


def place(config: Config, expert: str, shots: Path, *, scores: Path | None) -> Placement:
    """Place an expert, with a bar only where an embedder is needed."""
    from orchestrator.onboarding import add_expert

    return add_expert(config, expert, shots, scores=scores, load_embedder=_loader(config))


def as_dict(placement: Placement) -> dict[str, object]:
    """All of it, as JSON."""
    return {
        "expert": placement.expert,
        "shots": {"used": placement.shots, "paired": placement.paired, "elsewhere": placement.elsewhere},
        "categories": [{**asdict(change), "verdict": change.verdict} for change in placement.changes],
        "total_gain": asdict(placement.total),
        "cost_unit": placement.mapping.cost_unit,
        "pairs": [asdict(pair) for pair in placement.pairs],
        "redundant": {
            pair.redundant: _other(pair.experts, pair.redundant) for pair in placement.pairs if pair.redundant
        },
        "interference": report_dict(placement.seen),
        "shared_base": None if placement.shared is None else asdict(placement.shared),
    }


def show(placement: Placement, console: Console) -> None:
    """Tables and a few lines."""
    for table in (_changes(placement), interference_table(placement.seen), _redundant(placement)):
        if not console.is_terminal:  # a file or a pipe takes lines of any length
            console.width = max(console.width, console.measure(table, options=_endless(console)).maximum)
        if table.row_count:
            console.print(table)
    for line in [*_summary(placement), *interference_lines(placement.seen, placement.shared)]:
        console.print(Text(line), soft_wrap=True)


def _endless(console: Console) -> ConsoleOptions:
    return console.options.update(width=WIDEST)


def _loader(config: Config) -> Callable[[str], Embedder]:
    from orchestrator.fleet.surroundings import embedders_of

    return embedders_of(config).load


def _changes(placement: Placement) -> Table:
    """Of plans the expert that is asked first, or those who draft; `--json` has the fallbacks too."""
    expert = placement.expert
    table = Table(title=f"{expert} by category, with 95 % intervals", box=SIMPLE)
    table.add_column("category", no_wrap=True)
    for heading, justify in HEADINGS.items():
        table.add_column(heading, justify=justify)
    for change in placement.changes:
        mean, low, high = change.newcomer
        ranking = placement.mapping.ranking[change.category]
        table.add_row(
            change.category,
            str(change.shots),
            f"{mean:.3f} [{low:.3f}, {high:.3f}]",
            f"{ranking.index(expert) + 1} of {len(ranking)}",
            _plan(change.before),
            _plan(change.after),
            "-" if change.verdict == "same" else _gain(change.gain),
            _cost(change.cost_before),
            _cost(change.cost_after),
            Text(change.verdict, style=STYLES[change.verdict]),
        )
    return table


def _redundant(placement: Placement) -> Table:
    table = Table("experts", "common queries", "correlation of errors", "redundant", box=SIMPLE)
    table.title = "experts that err together"
    for pair in placement.pairs:
        if pair.together:
            goes = "-" if pair.redundant is None else f"{pair.redundant} with {_other(pair.experts, pair.redundant)}"
            correlation = f"{pair.correlation:.2f} [{pair.low:.2f}, {pair.high:.2f}]"
            table.add_row(", ".join(pair.experts), str(pair.n), correlation, goes)
    return table


def _summary(placement: Placement) -> list[str]:
    verdicts = [change.verdict for change in placement.changes]
    lines = [
        f"{placement.shots} shots of {placement.expert}, {placement.paired} of them with grades of others",
        f"{verdicts.count('gains')} categories gain, {verdicts.count('loses')} lose; gain over all traffic "
        + _gain(placement.total),
    ]
    if placement.elsewhere:
        lines.append(f"{placement.elsewhere} shots did not count: nothing was learned of their categories")
    if placement.mapping.cost_unit is not None:
        lines.append(f"cost: in {UNITS[placement.mapping.cost_unit]}")
    if not any(pair.together for pair in placement.pairs):
        lines.append("no two experts err together" if placement.pairs else "too few common queries to compare experts")
    return lines


def _other(experts: tuple[str, str], one: str) -> str:
    return experts[1] if experts[0] == one else experts[0]


def _plan(plan: Plan) -> str:
    return f"fuse {' + '.join(plan.experts)}" if plan.kind == "fuse" else plan.experts[0]


def _gain(gain: Gain) -> str:
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def _cost(cost: float | None) -> str:
    return "-" if cost is None else f"{cost:.3g}"
