"""The report of a suite: one HTML page that needs no network, and the same as Markdown for a pull request.

Light to import: what draws needs the packages of the extra `eval`, and is imported by the call that writes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eval.datasets import DataError
from eval.findings import Findings
from routers.importing import load_name

__all__ = ["write_report"]


def write_report(findings: Findings, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.md` into `folder`, made where it is missing; the paths of the two.

    The same findings give the same bytes. Each file is replaced whole, and none is touched unless both could be made.

    Raises:
        DataError: jinja2 or matplotlib is not installed.
        OSError: the folder cannot be written.
    """
    to_html, to_markdown = _renderer("eval.report.html:render"), _renderer("eval.report.markdown:render")
    pages = {folder / "report.html": to_html(findings), folder / "report.md": to_markdown(findings)}
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in pages.items():
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    html, markdown = pages
    return html, markdown


def _renderer(name: str) -> Callable[[Findings], str]:
    try:
        loaded: Callable[[Findings], str] = load_name(name)
    except ImportError as error:
        hint = "run 'pip install expert-orchestrator[eval]'"
        raise DataError([f"a report needs jinja2 and matplotlib ({error}); {hint}"]) from error
    return loaded
