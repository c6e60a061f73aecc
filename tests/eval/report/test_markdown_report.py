"""The Markdown report, read back by a Markdown parser: tables keep their columns, strangers' text stays text."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from parsed import Parsed
from sample_findings import HOSTILE, many_categories, sample_findings

from eval.findings import Findings
from eval.measures import measure
from eval.report.escape import code, prose
from eval.report.markdown import render
from eval.report.text import cut, one_line

READER = MarkdownIt("commonmark").enable("table")
OWN = {"h2", "h3", "p", "strong", "code", "br", "ul", "li", "details", "summary"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
COMMENT = 65_536
"""Characters that a comment on GitHub may have."""


def test_the_summary_has_every_figure_with_its_interval(sample: Findings) -> None:
    """Specified: value, interval, n, direction and meaning, as in the page."""
    rows = [line for line in render(sample).splitlines() if line.startswith("| <code>accuracy</code> |")]
    meaning = prose(measure("accuracy").meaning)
    assert rows == [f"| <code>accuracy</code> | ↑ | 0.730 | 0.713 to 0.745 | 3,000 | {meaning} |"]


def test_every_row_of_a_table_has_its_columns(hostile_text: str) -> None:
    """Ours: no pipe, backtick or line end of a stranger adds or ends a cell."""
    for table in re.findall(r"(?:^\|.*\n)+", hostile_text, flags=re.MULTILINE):
        rows = [len(re.findall(r"\|", line)) for line in table.splitlines()]
        assert len(set(rows)) == 1, table


def test_hostile_text_means_nothing(hostile_text: str) -> None:
    """Specified: no element, link, mention or formula comes from a query."""
    parsed = Parsed(READER.render(hostile_text))
    assert parsed.tags() <= OWN | TABLES
    assert parsed.unclosed == []
    text = one_line(parsed.text)
    for hostile in HOSTILE:
        assert cut(one_line(hostile), 80) in text
    assert not re.search(r"@|://|www\.|\$", hostile_text), "GitHub would make links of them"
    assert "@\u2060everyone see #\u20601" in text


@pytest.mark.parametrize("text", [*HOSTILE, "a\\|b", "``x``", "1. one", "- two", "# three", "www.example.org", "x | y"])
def test_escaped_text_is_read_back_as_it_was(text: str) -> None:
    """Ours: escaping changes nothing that a reader sees."""
    for escaped in (code(text, limit=300), prose(text)):
        rendered = READER.render(f"| {escaped} |\n|--|\n")
        assert Parsed(rendered).text.replace("\u2060", "").strip() == one_line(text)
        assert READER.render(escaped).startswith("<p>")


def test_a_report_of_many_categories_fits_into_a_comment() -> None:
    """Ours: long groups show the worst rows alone."""
    text = render(many_categories(150))
    assert len(text) < COMMENT
    assert "the 20 lowest of 150" in text


def test_the_same_findings_give_the_same_text(sample: Findings) -> None:
    """Specified."""
    assert render(sample_findings()) == render(sample)
