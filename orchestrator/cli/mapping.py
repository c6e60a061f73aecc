"""`mapping`: what was learned of every expert in every category, who is chosen, and what has changed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.adapters import adapters_dict, adapters_lines
from orchestrator.cli.options import AsJson, ConfigOption, read_config
from orchestrator.errors import RunError

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.plans import Plans
    from routers.mapping.learned import Fused, LearnedMapping

__all__ = ["mapping"]

CHOSEN = "*"
ANY_WIDTH = 100_000
"""Columns of text that no table has."""


def mapping(
    config: ConfigOption = Path("experts.yaml"),
    other: Annotated[
        Path | None,
        typer.Option("--diff", help="Folder of another trained router: also show what has changed since that one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the learned mapping: each expert's expected score in each category, and who is chosen.

    Example: orchestrator mapping --diff artifacts/last_week
    """
    settings = read_config(config)
    from orchestrator.plans import Plans
    from routers.mapping.difference import diff

    folder = settings.path(settings.routing.artifact)
    learned = _learned(folder)
    plans = Plans(settings, learned)
    changes = None if other is None else diff(_learned(other), learned)
    if as_json:
        shown = {**_as_dict(settings, learned, plans, changes), **adapters_dict(settings, learned)}
        print(json.dumps(shown, indent=2))
        return
    console = Console(highlight=False)
    table = _table(learned)
    if not console.is_terminal:  # a file or a pipe takes lines of any length
        wide = console.options.update_width(ANY_WIDTH)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)
    adapters = adapters_lines(settings, learned)
    for line in [*_legend(learned), *_exceptions(settings, plans), *adapters, *_changed(other, changes)]:
        console.print(Text(line), soft_wrap=True)


def _learned(folder: Path) -> LearnedMapping:
    from routers.artifact import load_mapping

    learned = load_mapping(folder)
    if learned is None:
        raise RunError(f"no mapping was learned at {folder}; run 'orchestrator train --scores FILE'")
    return learned


def _table(learned: LearnedMapping) -> Table:
    matrix = learned.matrix
    table = Table(title="expected score [95 % interval]", box=SIMPLE)
    table.add_column("category", no_wrap=True)
    for column in learned.experts:
        table.add_column(column, justify="right")
    if learned.drafted:
        table.add_column("the fuse plan that gains most, and its gain", justify="right")
    for row in matrix.rows:
        cells = [matrix.cells[row].get(column) for column in learned.experts]
        texts = ["-" if cell is None else cell.text() for cell in cells]
        chosen = [column == matrix.chosen[row] for column in learned.experts]
        if learned.drafted:
            fused = _fused(learned, row)
            texts.append("-" if fused is None else _gaining(learned, row, fused))
            chosen.append(fused is not None and fused == matrix.chosen[row])
        marked = zip(texts, chosen, strict=True)
        table.add_row(
            row, *(Text(f"{text} {CHOSEN}", style="bold green") if best else Text(text + "  ") for text, best in marked)
        )
    return table


def _fused(learned: LearnedMapping, category: str) -> str | None:
    """The fuse plan that is chosen in a category, or else the one with the best lower bound of its gain."""
    chosen = learned.matrix.chosen[category]
    if chosen in learned.fused:
        return chosen
    known = {name: learned.cells[category][name].gain_low for name in learned.tried(category)}
    bounds = {name: low for name, low in known.items() if low is not None}
    return max(bounds, key=lambda name: bounds[name]) if bounds else None


def _gaining(learned: LearnedMapping, category: str, name: str) -> str:
    cell = learned.cells[category][name]
    told = ", ".join(part for part in (cell.text(), cell.gain_text(), cell.evidence_text()) if part)
    return f"{name}, {told}"


def _legend(learned: LearnedMapping) -> list[str]:
    limits = {name: limit for name, limit in learned.budget.model_dump().items() if limit is not None}
    budget = ", ".join(f"{name} {limit:g}" for name, limit in limits.items()) or "none"
    first, last = learned.frontier[0], learned.frontier[-1]
    unit = {"usd_per_query": "USD a query", "active_params_b": "billion active parameters a query"}
    lines = [
        f"{CHOSEN} chosen; {learned.queries} graded queries; best single expert {learned.best_single}; budget: {budget}"
    ]
    if learned.cost_unit is not None:
        costs = f"{first.cost:.3g} to {last.cost:.3g}" if len(learned.frontier) > 1 else f"{last.cost:.3g} throughout"
        lines.append(f"cost_quality 0 to 1: {costs} {unit[learned.cost_unit]}, mappings: {len(learned.frontier)}")
    if learned.drafted:
        lines.append(
            f"fuse plans, from {learned.drafted} queries, are chosen where the lower bound of their gain is above 0:"
        )
        lines += [_overall(name, fused) for name, fused in learned.fused.items()]
    if not learned.proven:
        lines.append("time ran out before the mapping was known to be the best")
    return lines


def _overall(name: str, fused: Fused) -> str:
    """What a fuse plan gains over all queries, and how sure its gain in a category has to be."""
    bound = f"lower bound at {fused.confidence:.0%} in a category"
    if fused.gain is None or fused.gain_low is None:
        return f"  {name}: not proven overall, {bound}"
    overall = f"{'' if fused.proven else 'not '}proven overall ({fused.gain:+.3f}, lower bound {fused.gain_low:+.3f})"
    return f"  {name}: {overall} on {fused.n} queries, {bound}"


def _exceptions(config: Config, plans: Plans) -> list[str]:
    """Categories that are answered as experts.yaml lists them, in spite of the mapping."""
    planned = {category: plans.planned(category) for category in config.categories}
    return [
        f"{category}: {' -> '.join(found.plan.experts)}, as listed in the configuration ({found.why})"
        for category, found in planned.items()
        if found.cost_quality is None
    ]


def _changed(other: Path | None, changes: list[str] | None) -> list[str]:
    if changes is None:
        return []
    return ["", f"since {other}:", *(f"  {change}" for change in changes or ["nothing has changed"])]


def _as_dict(config: Config, learned: LearnedMapping, plans: Plans, changes: list[str] | None) -> dict[str, object]:
    """plans: in force, by category; `cost_quality` null where one stands as listed. diff: only where asked for."""
    planned = {category: plans.planned(category) for category in config.categories}
    in_force = {
        category: {**asdict(found.plan), "cost_quality": found.cost_quality, "why": found.why}
        for category, found in planned.items()
    }
    shown: dict[str, object] = {"mapping": learned.as_dict(), "plans": in_force}
    return shown if changes is None else {**shown, "diff": changes}
