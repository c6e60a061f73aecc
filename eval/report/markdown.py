"""Findings as Markdown for a pull request: tables, no images, everything of strangers as code.

GitHub reads names in plain text as links, mentions, formulas and HTML; inside `<code>`, with every sign that means
something written as its number, it reads nothing into them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eval.findings import Findings
from eval.report.escape import code, prose
from eval.report.markdown_parts import lines_of
from eval.report.parts import parts_of
from eval.report.rows import Group, Row, groups, key_rows, summary
from eval.report.run import Run, run_of

__all__ = ["render"]

MOST_ROWS = 20
"""Of a group; a comment on GitHub holds 65,536 characters."""


def render(findings: Findings) -> str:
    """The whole text."""
    run = run_of(findings.run)
    blocks = [
        [f"## {prose(findings.suite)}", "", _stands_on(run)],
        _keys(key_rows(findings)),
        _summary(summary(findings.figures)),
        *(_group(group) for group in groups(findings.figures)),
        *(lines_of(part) for part in parts_of(findings.parts)),
        _notes(findings.notes),
        _settings(run),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _stands_on(run: Run) -> str:
    named = [
        f"{code(data.name)} {data.rows:,} queries" + (f" ({data.left_out:,} left out)" if data.left_out else "")
        for data in run.data
    ]
    seeds = [f"seed {prose(found)}" for name, found in run.facts if name == "seed"]
    return " · ".join([*named, *seeds])


def _keys(rows: Sequence[Row]) -> list[str]:
    """The most important figures in one line, which is all that many a reader reads."""
    said = (f"{code(row.name)} **{row.value}**" + (f" ({row.interval})" if row.interval else "") for row in rows)
    return [" · ".join(said)] if rows else []


def _summary(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    return [
        "### Figures",
        "",
        "| figure | better | value | 95 % interval | n | meaning |",
        "|:--|:-:|--:|:-:|--:|:--|",
        *(f"| {code(row.name)} | {row.arrow} | {_numbers(row)} | {prose(row.measure.meaning)} |" for row in rows),
    ]


def _group(group: Group) -> list[str]:
    few = len(group.rows) <= MOST_ROWS
    rows = group.rows if few else group.worst(MOST_ROWS)
    end = "highest" if group.measure.better == "lower" else "lowest"
    table = [
        f"| {code(group.title)} | value | 95 % interval | n |",
        "|:--|--:|:-:|--:|",
        *(f"| {code(row.name)} | {_numbers(row)} |" for row in rows),
    ]
    title = code(group.title) + (f": {prose(group.measure.meaning)}" if group.measure.meaning else "")
    title += f" {group.rows[0].arrow}".rstrip() + ("" if few else f" (the {len(rows)} {end} of {len(group.rows)})")
    return list(_folded(title, table))


def _numbers(row: Row) -> str:
    return f"{row.value} | {row.interval} | {row.figure.n:,}"


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>")


def _notes(notes: Sequence[str]) -> list[str]:
    return ["### Notes", "", *(f"- {prose(note)}" for note in notes)] if notes else []


def _settings(run: Run) -> list[str]:
    facts = [*run.facts, *((f"sha256 of {data.name}", data.sha256) for data in run.data if data.sha256), *run.versions]
    if not facts:
        return []
    table = ["| setting | value |", "|:--|:--|", *(f"| {code(name)} | {code(found)} |" for name, found in facts)]
    return list(_folded("Settings, data and versions", table))
