"""Findings are built once: drawing them is the same for every test."""

from __future__ import annotations

import pytest
from sample_findings import hostile_findings, sample_findings

from eval.findings import Findings
from eval.report.html import render as html
from eval.report.markdown import render as markdown


@pytest.fixture(scope="session")
def sample() -> Findings:
    """Findings with every part."""
    return sample_findings()


@pytest.fixture(scope="session")
def page(sample: Findings) -> str:
    """The HTML of `sample`."""
    return html(sample)


@pytest.fixture(scope="session")
def hostile_page() -> str:
    """The HTML of findings whose every text is hostile."""
    return html(hostile_findings())


@pytest.fixture(scope="session")
def hostile_text() -> str:
    """Their Markdown."""
    return markdown(hostile_findings())
