"""The parts of findings as Markdown: curves as the few numbers that tell most of them, tables as their worst rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from eval.report import curves, tables
from eval.report.escape import LONGEST, code, prose
from eval.report.numbers import interval, number, percent, value
from eval.report.parts import Part, Raw

__all__ = ["lines_of"]

MOST_PAIRS = 10
MOST_POINTS = 40
MOST_CELLS = 400
OPENED = 3
"""So many slices show their examples."""


def lines_of(part: Part) -> list[str]:
    """A part under its title; nothing for one that would need a drawing or that the report does not know."""
    lines = WRITERS[type(part.view)](part.view)
    return [f"### {prose(part.title)}", "", *lines] if lines else []


def _frontier(part: curves.Frontier) -> list[str]:
    rows = [
        f"| {code(row.name)} | {row.kind} | {value(row.cost)} | {value(row.quality)} | {interval(row.quality)} |"
        for row in sorted(part.points, key=lambda row: row.cost.value)
    ]
    more = ["", f"… and {len(rows) - MOST_POINTS} more."] if len(rows) > MOST_POINTS else []
    head = f"| | | cost, {prose(part.cost_unit)} | quality | 95 % interval |"
    return [head, "|:--|:--|--:|--:|:-:|", *rows[:MOST_POINTS], *more]


def _calls(part: curves.Calls) -> list[str]:
    at = [round(share * (len(part.shares) - 1)) for share in (0, 0.1, 0.2, 0.3, 0.5, 0.75, 1)]
    chosen = list(dict.fromkeys(at))
    return [
        f"From {code(part.weak)} (weak) to {code(part.strong)} (strong).",
        "",
        "| share of strong calls |" + "".join(f" {percent(part.shares[i])} |" for i in chosen),
        "|:--|" + "--:|" * len(chosen),
        "| quality |" + "".join(f" {part.qualities[i]:.3f} |" for i in chosen),
    ]


def _drafts(part: curves.Drafts) -> list[str]:
    rows = zip(part.drafts, part.calls, part.accuracy, strict=True)
    return [
        "| drafts | calls a query | accuracy | 95 % interval |",
        "|--:|--:|--:|:-:|",
        *(f"| {number(at)} | {number(made)} | {value(of)} | {interval(of)} |" for at, made, of in rows),
    ]


def _heat_map(part: tables.HeatMap) -> list[str]:
    if len(part.rows) * len(part.columns) > MOST_CELLS:
        return _winners(part)
    lines = [
        f"| {prose(part.row_title)} |" + "".join(f" {code(column)} |" for column in part.columns) + " n |",
        "|:--|" + "--:|" * (len(part.columns) + 1),
    ]
    for at, row in enumerate(part.rows):
        cells = ("" if cell is None else f"**{cell.text}**" if cell.mark else cell.text for cell in part.cells(at))
        lines.append(f"| {code(row)} | {' | '.join(cells)} | {part.size(at):,} |")
    return [*lines, "", f"{prose(part.measure).capitalize()}; the best of each row is bold."]


def _winners(part: tables.HeatMap) -> list[str]:
    """Of a large map, the best of each row alone."""
    lines = [
        f"| {prose(part.row_title)} | best {prose(part.column_title)} | {prose(part.measure)} | n |",
        "|:--|:--|--:|--:|",
    ]
    for at, row in enumerate(part.rows[:MOST_POINTS]):
        winners = ", ".join(code(name) for name in part.winners(at)[:3])
        lines.append(f"| {code(row)} | {winners} | {number(part.best(at))} | {part.size(at):,} |")
    more = ["", f"… and {len(part.rows) - MOST_POINTS} more."] if len(part.rows) > MOST_POINTS else []
    return [*lines, *more]


def _reliability(part: curves.Reliability) -> list[str]:
    return [
        "| confidence | mean | right | 95 % interval | n |",
        "|:--|--:|--:|:-:|--:|",
        *(
            f"| {percent(found.low)} to {percent(found.high)} | {found.confidence:.3f} | {value(found.accuracy)} "
            f"| {interval(found.accuracy)} | {found.accuracy.n:,} |"
            for found in part.bins
        ),
    ]


def _risk_coverage(part: curves.RiskCoverage) -> list[str]:
    readings = part.readings()
    return [
        "| answered |" + "".join(f" {percent(coverage)} |" for coverage, _, _ in readings),
        "|:--|" + "--:|" * len(readings),
        "| wrong |" + "".join(f" {100 * risk:.2f} % |" for _, risk, _ in readings),
        "| confidence from |" + "".join(f" {threshold:.3f} |" for _, _, threshold in readings),
        "",
        f"Area under the curve {number(part.area)}; lower is better.",
    ]


def _confusion(part: tables.Confusion) -> list[str]:
    pairs = part.pairs()
    if not pairs:
        return ["No query was sent to a wrong category."]
    return [
        "| true | sent to | queries | share |",
        "|:--|:--|--:|--:|",
        *(
            f"| {code(pair.true)} | {code(pair.guess)} | {pair.count} of {pair.n} | {percent(pair.count / pair.n)} |"
            for pair in pairs[:MOST_PAIRS]
        ),
    ]


def _slices(part: tables.Slices) -> list[str]:
    if not part.slices:
        return []
    lines = ["| slice | measure | value | 95 % interval | n |", "|:--|:--|--:|:-:|--:|"]
    for found in part.slices:
        numbers = f"{value(found.figure)} | {interval(found.figure)} | {found.figure.n:,}"
        lines.append(f"| {code(found.name)} | {prose(found.measure)} | {numbers} |")
    lines += ["", "<details>", "<summary>Examples</summary>", ""]
    for found in part.slices[:OPENED]:
        lines.append(f"- {code(found.name)}")
        for example in found.examples:
            detail = f" ({prose(example.detail)})" if example.detail else ""
            answers = f"expected {code(example.expected)}, got {code(example.got)}{detail}"
            lines.append(f"  - {code(example.query, limit=LONGEST)}<br>{answers}")
    return [*lines, "", "</details>"]


def _errors(part: tables.Errors) -> list[str]:
    return [
        "| error | count |",
        "|:--|--:|",
        *(f"| {code(name)} | {count:,} |" for name, count in part.counts),
    ]


def _nothing(_part: Raw) -> list[str]:
    """What the report does not know stands in the HTML and in the JSON."""
    return []


WRITERS: Mapping[type, Callable[[Any], list[str]]] = MappingProxyType(
    {
        curves.Frontier: _frontier,
        curves.Calls: _calls,
        curves.Drafts: _drafts,
        curves.Reliability: _reliability,
        curves.RiskCoverage: _risk_coverage,
        tables.HeatMap: _heat_map,
        tables.Confusion: _confusion,
        tables.Slices: _slices,
        tables.Errors: _errors,
        Raw: _nothing,
    }
)
"""By the type of a part's view."""
