"""The HTML report: complete, closed in itself, and unmoved by what strangers wrote."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from parsed import Parsed
from sample_findings import HOSTILE, many_categories, sample_findings

from eval.findings import Findings
from eval.measures import measure
from eval.metrics import share
from eval.report.html import render
from eval.report.parts import KNOWN
from eval.report.style import PALETTE
from eval.report.text import one_line

EVENT = re.compile(r"on[a-z]+")
ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "link",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "section",
        "nav",
        "details",
    ),
    *(
        "summary",
        "h1",
        "h2",
        "h3",
        "p",
        "a",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "div",
        "span",
        "b",
        "i",
        "bdi",
        "code",
        "pre",
    ),
    *("figure", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "g", "defs", "path", "use", "text", "tspan", "clippath", "rect"),
}
"""What the templates and the charts are made of."""


def test_every_figure_stands_with_its_value_interval_n_and_meaning(page: str) -> None:
    """Ours: no figure of the findings is missing from the page."""
    text = one_line(Parsed(page).text)
    for said in ("accuracy", "0.730", "0.713 to 0.745", "3,000", measure("accuracy").meaning):
        assert said in text
    assert "undefined" in text
    assert "0.0610" in text  # flip_rate.typo, in a group


def test_every_known_part_has_its_section(page: str, sample: Findings) -> None:
    """Ours: a part that the report knows is drawn, one it does not know is shown as JSON."""
    headings = re.findall(r"<h2>([^<]*)</h2>", page)
    assert set(KNOWN) < set(sample.parts)
    assert [kind.title for kind in KNOWN.values()] == [title for title in headings if title in PART_TITLES]
    assert "perplexities" in headings
    assert "&#34;deep&#34;: true" in page


PART_TITLES = {kind.title for kind in KNOWN.values()}


def test_elements_are_closed_and_ids_are_unique(page: str, hostile_page: str) -> None:
    """Ours: seven charts in one page do not share the names of their clip paths and markers."""
    for html in (page, hostile_page):
        parsed = Parsed(html)
        ids = parsed.values("id")
        assert parsed.unclosed == []
        assert len(ids) == len(set(ids))
        assert {ref.removeprefix("#") for ref in parsed.values("href") if ref.startswith("#")} <= set(ids)
        assert set(re.findall(r"url\(#([^)]*)\)", html)) <= set(ids)


def test_nothing_is_fetched_and_nothing_runs(page: str, hostile_page: str) -> None:
    """Specified: the page opens offline; there is no address in it that a browser would follow by itself."""
    for html in (page, hostile_page):
        parsed = Parsed(html)
        assert parsed.tags() <= ELEMENTS
        assert all(ref.startswith(("#", "data:,")) for ref in parsed.values("href"))
        assert parsed.values("src") == []
        assert not [name for _, found in parsed.elements for name in found if EVENT.fullmatch(name)]
        assert not re.search(r"@import|url\((?!#)", html)
        assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html


def test_hostile_text_is_shown_as_text(hostile_page: str) -> None:
    """Specified: queries and names are untrusted; they come out as they are, what is invisible spelled out."""
    text = one_line(Parsed(hostile_page).text)
    for hostile in HOSTILE:
        assert one_line(hostile) in text
    assert "\\u202eright" in text
    assert "\\x07" in text
    assert "\\ud800" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\ud800-\udfff\uffff]", hostile_page)
    assert hostile_page.encode("utf-8")


def test_the_same_findings_give_the_same_bytes(page: str) -> None:
    """Specified: no date, no random names."""
    assert render(sample_findings()) == page


def test_charts_take_their_colours_from_the_page(page: str) -> None:
    """Ours: so that one drawing is readable on light and on dark paper."""
    charts = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "var(--accent)" in charts
    assert not re.search(r"(fill|stroke): #", charts)
    assert all(f"--{role}:{light}" in page and f"--{role}:{dark}" in page for role, (light, dark) in PALETTE.items())


@pytest.mark.parametrize("role", ["ink", "muted", "accent", "second", "third"])
@pytest.mark.parametrize("scheme", [0, 1])
def test_text_and_lines_have_contrast(role: str, scheme: int) -> None:
    """Specified by WCAG 2 AA: 4.5 to 1 against the paper."""
    brighter, darker = sorted((luminance(PALETTE[name][scheme]) for name in (role, "paper")), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= 4.5


def test_every_chart_says_what_it_shows(page: str) -> None:
    """Ours: a screen reader reads the title of each drawing; tables have their headings."""
    parsed = Parsed(page)
    drawings = [found for tag, found in parsed.elements if tag == "svg"]
    titles = set(parsed.values("id"))
    assert len(drawings) == 6
    assert all(found["role"] == "img" and found["aria-labelledby"] in titles for found in drawings)
    assert all("scope" in found for tag, found in parsed.elements if tag == "th")


def test_every_expert_is_named_in_the_frontier(page: str, sample: Findings) -> None:
    """Specified: every single expert, the routers, the oracle and the random choice are labelled."""
    chart = re.search(r'<svg[^>]*aria-labelledby="frontier-title".*?</svg>', page, flags=re.DOTALL)
    assert chart
    written = set(re.findall(r"<text[^>]*>([^<]*)</text>", chart[0]))
    assert {point["name"] for point in sample.parts["frontier"]["points"]} <= written


def test_a_large_confusion_matrix_is_folded_after_its_worst_pairs() -> None:
    """Specified: with 150 categories the most confused pairs come first, the whole matrix on demand."""
    html = render(many_categories(150))
    pairs, matrix = html.index("Most confused"), html.index("The whole matrix, 150 by 150")
    assert pairs < matrix
    assert "The 15 lowest of 150" in html
    assert len(html) < 2_000_000


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "errors"])
@pytest.mark.parametrize("wrong", [None, 7, "text", [1], {"points": [{}]}, {"": {"": None}}])
def test_a_part_of_another_shape_is_shown_as_json(name: str, wrong: Any) -> None:
    """Ours: a report of figures is not lost over a part that a later version writes differently."""
    findings = Findings(suite="s", run={}, figures={"accuracy": share(1, 2)}, parts={name: wrong})
    assert "As JSON" in render(findings)


def test_undefined_figures_and_missing_cells_do_not_stop_a_report(sample: Findings) -> None:
    """Ours: what the data could not answer is left out of the drawings and named in the tables."""
    undefined = {"value": None, "ci95": None, "n": 0}
    frontier = sample.parts["frontier"]
    points = [*frontier["points"][:3], {**frontier["points"][3], "cost": undefined}]
    heat_map = {**sample.parts["heat_map"], "rows": ["a"], "columns": ["b", "c"], "cells": [[undefined, None]]}
    parts = {"frontier": {**frontier, "points": points, "hull": {"costs": [], "qualities": []}}, "heat_map": heat_map}
    html = render(dataclasses.replace(sample, parts=parts))
    assert "As JSON" not in html
    assert "undefined" in html


@pytest.mark.parametrize("costs", [[0.0, 0.0], [0.0, 5.0], [0.0, 0.001, 5.0], [2.0], [1.0, 1.1], [1e-6, 1e2]])
def test_any_range_of_costs_can_be_drawn(sample: Findings, costs: list[float]) -> None:
    """Ours: free experts, one expert, costs over eight orders of magnitude."""
    figures = [{"value": cost, "ci95": [cost * 0.9, cost * 1.1], "n": 5} for cost in costs]
    quality = {"value": 0.5, "ci95": None, "n": 5}
    points = [{"name": f"e{at}", "kind": "expert", "cost": cost, "quality": quality} for at, cost in enumerate(figures)]
    part = {"points": points, "hull": {"costs": [costs[0]], "qualities": [0.5]}, "cost_unit": "USD"}
    assert "As JSON" not in render(dataclasses.replace(sample, figures={}, parts={"frontier": part}))


def test_bare_findings_make_a_page() -> None:
    """Ours: no figures, no parts, no notes, a run that nobody described."""
    parsed = Parsed(render(Findings(suite="empty", run={"data": 3, "other": [1]}, figures={})))
    assert parsed.unclosed == []
    assert "other" in parsed.text


def luminance(colour: str) -> float:
    """Of `#rrggbb`, 0 to 1, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
