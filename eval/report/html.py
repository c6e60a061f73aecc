"""Findings as one HTML page that holds all it needs: no script, no request, everything of strangers escaped.

Escaping is the templates' (autoescape is on); every text goes through `text.shown` on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eval.findings import Findings
from eval.report import charts, curves, frontier, numbers, tables
from eval.report.parts import Part, Raw, parts_of
from eval.report.rows import bar_of, groups, key_rows, summary
from eval.report.run import run_of
from eval.report.style import PALETTE
from eval.report.text import cut, one_line, shown

__all__ = ["render"]

WIDE, NARROW = (1040.0, 560.0), (480.0, 560.0)
"""Sizes of the frontier on a screen and on a phone: there the names need other places."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a part is shown: a template, and its charts by the name that the template has for them."""

    template: str
    draw: Callable[[Any], dict[str, Markup]] = lambda _: {}
    half: bool = False


LOOKS: Mapping[type, Look] = MappingProxyType(
    {
        curves.Frontier: Look(
            "frontier",
            lambda part: {
                "wide": frontier.chart(part, size=WIDE, name="frontier"),
                "narrow": frontier.chart(part, size=NARROW, name="frontier-narrow"),
            },
        ),
        curves.Reliability: Look("reliability", lambda part: {"svg": charts.reliability(part)}, half=True),
        curves.RiskCoverage: Look("risk_coverage", lambda part: {"svg": charts.risk_coverage(part)}, half=True),
        curves.Calls: Look("calls", lambda part: {"svg": charts.calls(part)}, half=True),
        curves.Drafts: Look("drafts_curve", lambda part: {"svg": charts.drafts(part)}, half=True),
        tables.Confusion: Look("confusion"),
        tables.HeatMap: Look("heat_map"),
        tables.Slices: Look("slices"),
        tables.Errors: Look("errors", half=True),
        Raw: Look("raw"),
    }
)
"""By the type of a part's view."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part with its look, drawn."""

    part: Part
    look: Look
    charts: Mapping[str, Markup]

    @property
    def template(self) -> str:
        """The name of its template."""
        return f"parts/{self.look.template}.html.j2"


def render(findings: Findings) -> str:
    """The page."""
    sections = [_section(part) for part in parts_of(findings.parts)]
    found_groups = groups(findings.figures)
    page = _environment().get_template("report.html.j2")
    return page.render(
        suite=findings.suite,
        run=run_of(findings.run),
        keys=key_rows(findings),
        rows=summary(findings.figures),
        groups=found_groups,
        sections=sections,
        notes=findings.notes,
        palette=PALETTE,
    )


def _section(part: Part) -> Section:
    look = LOOKS[type(part.view)]
    return Section(part, look, look.draw(part.view))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("eval.report"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cut=cut,
        line=lambda text: one_line(str(text)),
        value=numbers.value,
        interval=numbers.interval,
        number=numbers.number,
        percent=numbers.percent,
    )
    environment.globals.update(bar_of=bar_of, scale_of=numbers.scale_of, shares=numbers.SHARES)
    return environment


def _finalized(found: Any) -> Any:
    return shown(found) if isinstance(found, str) and not isinstance(found, Markup) else found
