"""A comparison as Markdown for a pull request, and the cells that the terminal's table shares with it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from eval.compare import Change, Comparison
from eval.measures import measure
from eval.metrics import Figure

__all__ = ["NOTHING", "as_markdown", "cells_of"]

NOTHING = "No figure is in both."
HEAD = "| figure | before | after | difference | 95 % interval | n | verdict |\n|:--|--:|--:|--:|--:|--:|:--|"
ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\|`*_<>[]#"})


def as_markdown(found: Comparison) -> str:
    """The summary, the figures that gate, and the others folded away."""
    gating = [change for change in found.changes if change.gates]
    others = [change for change in found.changes if not change.gates]
    blocks = [f"## eval compare: {found.suite.translate(ESCAPED)}", found.summary.translate(ESCAPED)]
    blocks.append(_table(gating) if gating else NOTHING)
    if others:
        blocks.append(f"<details><summary>{len(others)} further figures</summary>\n\n{_table(others)}\n\n</details>")
    blocks += [f"- {remark.translate(ESCAPED)}" for remark in found.remarks]
    return "\n\n".join(blocks) + "\n"


def cells_of(change: Change) -> tuple[str, ...]:
    """Name, before, after, difference, its interval, n, verdict."""
    arrow = {"higher": " ↑", "lower": " ↓", "neither": ""}[measure(change.name).better]
    unpaired = " (unpaired)" if change.method == "unpaired" else ""
    verdict = f"{change.verdict}{unpaired}{', REGRESSION' if change.regression else ''}"
    difference = change.difference
    return (
        f"{change.name}{arrow}",
        _value(change.before),
        _value(change.after),
        "" if math.isnan(difference.value) else f"{difference.value:+.4g}",
        "" if difference.ci95 is None else f"{difference.ci95[0]:+.4g} to {difference.ci95[1]:+.4g}",
        str(difference.n),
        verdict,
    )


def _table(changes: Iterable[Change]) -> str:
    rows = [" | ".join(cell.translate(ESCAPED) for cell in cells_of(change)) for change in changes]
    return "\n".join([HEAD, *(f"| {row} |" for row in rows)])


def _value(figure: Figure) -> str:
    return "undefined" if math.isnan(figure.value) else f"{figure.value:.4g}"
