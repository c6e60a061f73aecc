"""Queries that nobody meant to ask, from a terminal: `route`, `ask` and `train` end as they should, and say why."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.cli import main
from tests.cli.test_verbs import CONFIG, Done
from tests.cli.test_verbs import orchestrator as asked
from tests.routers.test_bad_queries import BAD

SHOWN = [
    "empty",
    "a megabyte of words",
    "binary",
    "binary from a command line",
    "half a character",
    "direction marks",
    "mixed languages",
]
"""Those whose way through the terminal is a matter of its own; the others differ for the router alone."""

UNTAUGHT = (
    CONFIG.replace("examples: [add one and two, sum these, plus and minus, total of all], ", "").replace(
        "examples: [tell a tale, once upon a time, a story, write a fable], ", ""
    )
    + "routing: {examples: few.jsonl}\n"
)


def orchestrator(*arguments: str, cwd: Path, said: bytes = b"") -> Done:
    """Run a verb with streams that carry bytes, as a terminal's do: what cannot be written there is an error."""
    streams = [io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (said, b"", b"")]
    status = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setenv("COLUMNS", "120")
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "argv", ["orchestrator", *arguments])
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        for stream in streams[1:]:
            stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])
    return Done(status, out, err)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small configuration and a trained router; the deadline is for a busy machine."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "experts.yaml").write_text(CONFIG + "routing: {max_latency_ms: 30000}\n", encoding="utf-8")
    done = asked("train", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", SHOWN)
def test_route_shows_a_decision_for_any_query(trained: Path, name: str) -> None:
    """Specified: as an argument, explained as a tree; exit status 0 and nothing on stderr."""
    done = orchestrator("route", "--explain", "--", BAD[name], cwd=trained)
    assert (done.returncode, done.stderr) == (0, "")
    assert "categorize" in done.stdout
    assert len(done.stdout) < 20_000


@pytest.mark.parametrize("name", ["a megabyte of emoji", "binary from a command line"])
def test_route_gives_json_of_any_query(trained: Path, name: str) -> None:
    """Specified: as an argument; the decision can be parsed and has a plan."""
    done = orchestrator("route", "--json", "--explain", "--", BAD[name], cwd=trained)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["choose"]["experts"] == ["tool"]


@pytest.mark.parametrize(
    "said",
    [b"", b"\n", bytes(range(256)), b"\xff\xfe\x00\x01" * 1000, "كم\n🥚".encode(), b"x" * 1_000_000],
    ids=["nothing", "a line end", "every byte", "binary", "two lines", "a megabyte"],
)
def test_whatever_standard_input_holds_is_a_query(trained: Path, said: bytes) -> None:
    """Specified: a file may be piped in, text or not."""
    done = orchestrator("route", "-", cwd=trained, said=said)
    assert (done.returncode, done.stderr) == (0, "")
    assert "categorize" in done.stdout


def test_an_empty_query_goes_to_general_and_the_decision_says_why(trained: Path) -> None:
    """Specified: there is nothing to classify, and nothing to explain."""
    decision = json.loads(orchestrator("route", "", "--explain", "--json", cwd=trained).stdout)
    assert (decision["categorize"]["category"], decision["categorize"]["method"]) == ("general", "degraded")
    assert "no text to classify" in decision["categorize"]["reason"]
    assert decision["explanation"] is None


@pytest.mark.parametrize("query", ["", "\udcff\udcfe", "🥚" * 1000])
def test_ask_passes_any_query_on(trained: Path, query: str) -> None:
    """Specified: the expert here is dead, which is what is said, and not that the query is odd."""
    done = orchestrator("ask", "--json", "--", query, cwd=trained)
    assert done.returncode == 1
    assert "no-such-program" in done.stderr
    assert "Traceback" not in done.stderr


def lines(rows: Sequence[tuple[str, str]]) -> str:
    return "".join(json.dumps({"query": query, "category": category}) + "\n" for query, category in rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("add one and two", "sums"), ("total of all", "sums")], "category 'tales' has 0 distinct examples"),
        (
            [("add one and two", "sums"), ("total of all", "sums"), ("a tale", "tales")],
            "category 'tales' has 1 distinct examples",
        ),
    ],
    ids=["one category", "one example"],
)
def test_training_on_too_little_exits_2_with_one_line(tmp_path: Path, rows: list[tuple[str, str]], said: str) -> None:
    """Specified: which category, what it has, what it needs; nothing is written."""
    (tmp_path / "experts.yaml").write_text(UNTAUGHT, encoding="utf-8")
    (tmp_path / "few.jsonl").write_text(lines(rows), encoding="utf-8")
    done = orchestrator("train", cwd=tmp_path)
    problems = [line for line in done.stderr.splitlines() if "━" not in line and line.strip()]
    assert done.returncode == 2
    assert problems == [f"{said} and needs 2; add more"]
    assert not (tmp_path / "artifacts").exists()


def test_a_budget_that_nobody_meets_exits_2_with_the_limit_and_what_would_do(tmp_path: Path) -> None:
    """Specified: which constraint, and the nearest feasible one, by the key of the configuration."""
    (tmp_path / "experts.yaml").write_text(CONFIG + "budget: {cost_per_query: 0.0001}\n", encoding="utf-8")
    row = {"category": "sums", "outcomes": {"tool": {"score": 1, "cost_usd": 0.01}}}
    (tmp_path / "grades.jsonl").write_text((json.dumps(row) + "\n") * 5, encoding="utf-8")
    done = orchestrator("train", "--scores", "grades.jsonl", cwd=tmp_path)
    problems = [line for line in done.stderr.splitlines() if "━" not in line and line.strip()]
    assert done.returncode == 2
    assert problems == ["budget.cost_per_query: 0.0001 cannot be met; the least that can is 0.01"]


def test_scores_that_are_all_equal_are_no_error(tmp_path: Path) -> None:
    """Specified: nobody is better, so the mapping is learned all the same."""
    config = CONFIG.replace(
        "tool: t}\n", "tool: t}\n  twin: {kind: mcp, server: {command: no-such-program}, tool: t}\n"
    )
    (tmp_path / "experts.yaml").write_text(config, encoding="utf-8")
    row = {"category": "sums", "outcomes": {"tool": {"score": 0.5}, "twin": {"score": 0.5}}}
    (tmp_path / "grades.jsonl").write_text((json.dumps(row) + "\n") * 5, encoding="utf-8")
    done = orchestrator("train", "--scores", "grades.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    assert "learned from 5 graded queries" in done.stdout
