"""`write_report`: two whole files, or a clear error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eval.datasets import DataError
from eval.findings import Findings, read_findings
from eval.metrics import share
from eval.report import write_report

PLAIN = Findings(suite="categories", run={}, figures={"accuracy": share(3, 4)})
"""Quickly written."""


def test_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    """Specified: report.html and report.md, in a folder that is made where it is missing."""
    html, markdown = write_report(PLAIN, tmp_path / "new" / "folder")
    assert sorted(path.name for path in html.parent.iterdir()) == ["report.html", "report.md"]
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert markdown.read_text(encoding="utf-8").startswith("## categories")


def test_findings_that_were_stored_give_the_same_report(sample: Findings, tmp_path: Path) -> None:
    """Ours: a report can be made again from the JSON of a run."""
    first = [path.read_bytes() for path in write_report(sample, tmp_path / "first")]
    sample.write(tmp_path / "run.json")
    assert [path.read_bytes() for path in write_report(read_findings(tmp_path / "run.json"), tmp_path / "b")] == first


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    """Ours."""
    (tmp_path / "report.html").write_text("old")
    assert write_report(PLAIN, tmp_path)[0].read_text(encoding="utf-8") != "old"


def test_a_folder_that_is_a_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    """Ours: the command line turns it into one line and exit status 2."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        write_report(PLAIN, tmp_path / "file")
    assert caught.value.filename == str(tmp_path / "file")


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Ours: without the extra `eval` everything but the report works."""
    for name in [name for name in sys.modules if name.split(".")[0] == missing or name.startswith("eval.report.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DataError, match=r"pip install expert-orchestrator\[eval\]"):
        write_report(PLAIN, tmp_path)
    assert list(tmp_path.iterdir()) == []
