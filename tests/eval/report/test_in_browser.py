"""The report in a real browser: it opens from a file, complains of nothing and asks for nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr", "--dump-dom"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser has errands of its own; none of them leaves this machine
)
THE_BROWSER = "not an origin"


@dataclass(frozen=True)
class Visit:
    """What the browser made of a page, what it said, and the addresses that the page asked for."""

    dom: str
    console: list[str]
    requests: list[str]


def visit(page: str, folder: Path) -> Visit:
    """Open a page from a file."""
    assert CHROMIUM
    folder.mkdir()
    file, log = folder / "report.html", folder / "net.json"
    file.write_text(page, encoding="utf-8")
    command = [CHROMIUM, *SWITCHES, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", file.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    said = done.stderr.decode("utf-8", "replace").splitlines()
    asked = (event.get("params", {}) for event in json.loads(log.read_bytes())["events"])
    return Visit(
        dom=done.stdout.decode("utf-8"),
        console=[line for line in said if "CONSOLE" in line],
        requests=[found["url"] for found in asked if found.get("initiator", THE_BROWSER) != THE_BROWSER],
    )


def test_the_instrument_sees_requests_and_complaints(tmp_path: Path) -> None:
    """Ours: the tests below would notice; a page that does both is caught at both."""
    found = visit('<img src="http://127.0.0.1:9/x.png"><script>console.error("boo")</script>', tmp_path / "bad")
    assert found.requests == ["http://127.0.0.1:9/x.png"]
    assert any("boo" in line for line in found.console)


@pytest.mark.parametrize("which", ["page", "hostile_page"])
def test_the_report_opens_without_request_or_complaint(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Specified: one self-contained file that opens offline, whatever the queries hold."""
    found = visit(request.getfixturevalue(which), tmp_path / "visit")
    assert found.requests == []
    assert found.console == []
    assert found.dom.count("<svg") == 6
    assert found.dom.rstrip().endswith("</html>")
