"""What `train --add-expert` prints of interference: the new expert beside its base, the router before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from orchestrator.interference import Report
    from orchestrator.shared_bases import SharedBase
    from routers.mapping.interference import Measured

__all__ = ["interference_lines", "interference_table", "report_dict"]

STYLES = {"gains": "green", "loses": "red"}


def interference_table(report: Report) -> Table:
    """By category; empty where the shots say nothing of others."""
    table = Table(title="seen on the shots, with 95 % intervals", box=SIMPLE)
    table.add_column("category", no_wrap=True)
    headings = ["the router, after less before", ""]
    if report.base is not None:
        headings = [f"{report.expert} less its base {report.base}", "", "queries", *headings]
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    for row in report.categories:
        if row.routed.n == 0 and (row.on_base is None or row.on_base.n == 0):
            continue
        name = f"{row.category} ({report.expert} answers)" if row.answers else row.category
        on_base: list[str | Text] = [] if row.on_base is None else [*_cells(row.on_base), str(row.on_base.n)]
        table.add_row(name, *on_base, *_cells(row.routed))
    return table


def interference_lines(report: Report, shared: SharedBase | None) -> list[str]:
    """What to warn of, and whether all adapters of the base fit."""
    lines = [f"warning: {warning}" for warning in report.warnings]
    if report.overall.seen in {"gains", "loses", "unclear"}:
        lines.insert(0, f"by these queries the router scores {_cells(report.overall)[0]} more over their traffic")
    return lines if shared is None else [*lines, shared.line()]


def report_dict(report: Report) -> dict[str, object]:
    """As JSON."""
    return {
        "base": report.base,
        "categories": [
            {
                "category": row.category,
                "answers": row.answers,
                "on_base": None if row.on_base is None else _measured(row.on_base),
                "routed": _measured(row.routed),
            }
            for row in report.categories
        ],
        "overall": _measured(report.overall),
        "warnings": report.warnings,
    }


def _measured(measured: Measured) -> dict[str, object]:
    known = None if measured.n == 0 else {"value": measured.value, "low": measured.low, "high": measured.high}
    return {"queries": measured.n, "difference": known, "verdict": measured.seen}


def _cells(measured: Measured) -> tuple[str, Text]:
    known = measured.n > 0 and not measured.unchanged
    text = f"{measured.value:+.3f} [{measured.low:+.3f}, {measured.high:+.3f}]" if known else "-"
    return text, Text(measured.seen, style=STYLES.get(measured.seen, ""))
