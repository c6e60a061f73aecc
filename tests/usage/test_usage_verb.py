"""`orchestrator usage`: reports on a file, and training data from it that training takes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.usage.lines import Call, DecisionLine, FeedbackLine
from tests.cli.test_verbs import Done, orchestrator

CONFIG = """\
version: 1
categories:
  sums: {description: s, examples: [add one and two, sum these, plus and minus, total of all], experts: [cheap, dear]}
  tales: {description: s, examples: [tell a tale, once upon a time, a story, write a fable], experts: [dear, cheap]}
  general: {description: the rest, experts: [cheap]}
general: general
experts:
  cheap: {kind: mcp, server: &none {command: no-such-program}, tool: t}
  dear: {kind: mcp, server: *none, tool: t}
usage: {file: usage.jsonl, content: true}
"""
START = datetime(2026, 1, 1, tzinfo=UTC)
LAMPS = [
    f"{verb} the {thing} in the {place}"
    for verb in ("switch on", "turn off")
    for thing in ("light", "lamp")
    for place in ("kitchen", "garage", "attic")
]


def decided(number: int, **more: Any) -> DecisionLine:
    """A decision of the calm kind: a sum, answered by the cheap expert."""
    values: dict[str, Any] = {
        "time": START + timedelta(seconds=number),
        "id": f"dec-{number}",
        "model": "auto",
        "method": "router",
        "category": "sums",
        "top": "sums",
        "confidence": 0.9 + number * 7 % 10 / 100,
        "familiarity": number * 3 % 10 / 10,
        "set_size": 1,
        "plan": "single",
        "calls": (Call(expert="cheap", role="answer", outcome="answered", cost_usd=0.001),),
        "expert": "cheap",
        "outcome": "answered",
        "query": f"add {number} and two",
    }
    return DecisionLine(**{**values, **more})


def judged(number: int, **more: Any) -> FeedbackLine:
    values = {"time": START + timedelta(seconds=number), "decision": f"dec-{number}", "expert": "cheap"}
    return FeedbackLine(**{**values, **more})


def write(path: Path, *lines: DecisionLine | FeedbackLine) -> None:
    path.write_bytes(b"".join(line.encoded() + b"\n" for line in lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration that keeps its use."""
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which confidence falls, lamps are unknown, and the dear expert is never asked."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    calm = [decided(number) for number in range(100)]
    gated = [
        decided(100 + number, category="general", gate="nearness", confidence=0.4, familiarity=-2.0, query=query)
        for number, query in enumerate(LAMPS * 5)
    ]
    write(folder / "usage.jsonl", *calm, *gated)
    with (folder / "usage.jsonl").open("ab") as file:
        file.write(b'{"kind": "deci')
    return folder


def report(folder: Path, *arguments: str) -> Done:
    return orchestrator("usage", "report", *arguments, cwd=folder)


def test_the_report_shows_drift_a_new_category_and_alarms(used: Path) -> None:
    """Specified: for scripts, with the slice that moved, since when, and queries of the category to be."""
    told = json.loads(report(used, "--json").stdout)
    assert (told["decisions"], told["gated"], told["with_text"]) == (160, 60, 60)
    assert [place.rpartition(":")[2] for place in told["unreadable"]] == ["161"]
    moved = {(alert["signal"], alert["slice"], alert["name"]): alert for alert in told["alerts"]}
    assert set(moved) == {
        (signal, *where)
        for signal in ("confidence", "familiarity")
        for where in (("overall", ""), ("category", "sums"), ("expert", "cheap"))
    }
    assert moved["confidence", "overall", ""]["since"] == "dec-100"
    (proposal,) = told["proposals"]
    assert (proposal["size"], proposal["nearest"]) == (12, "sums")
    assert set(proposal["examples"]) <= set(LAMPS)
    kinds = {(alarm["kind"], alarm["subject"]) for alarm in told["health"]["alarms"]}
    assert kinds == {("never_chosen", "dear"), ("starved_examples", "sums"), ("starved_examples", "tales")}


def test_the_block_of_a_proposal_can_be_pasted(used: Path) -> None:
    """Specified: experts.yaml with it is accepted by `check`."""
    shown = report(used).stdout
    block = shown.partition("once looked over:\n")[2]
    block = block[: block.index("\n\n") + 1] if "\n\n" in block else block
    pasted = CONFIG.replace("  general: {d", block.rstrip() + "\n  general: {d")
    assert len(yaml.safe_load(pasted)["categories"]) == 4
    (used / "more.yaml").write_text(pasted, encoding="utf-8")
    assert orchestrator("check", "more.yaml", cwd=used).stdout.startswith("more.yaml: ok (4 categories")


def test_a_quiet_file_has_a_quiet_report(folder: Path) -> None:
    """Ours: nothing has moved and nothing is proposed; a file of another place may be named."""
    write(folder / "other.jsonl", *(decided(number) for number in range(5)))
    done = report(folder, "other.jsonl")
    assert done.returncode == 0
    assert "nothing has moved" in done.stdout
    assert "no new category to propose" in done.stdout


def test_without_texts_the_report_says_what_it_needs(folder: Path) -> None:
    """Ours: gated queries of which nothing was kept cannot be compared."""
    write(folder / "usage.jsonl", *(decided(number, gate="nearness", query=None) for number in range(20)))
    assert "usage.content" in report(folder).stdout


def test_a_report_of_nothing_says_what_to_do(folder: Path) -> None:
    """Specified: exit status 1 and one line, for a file that is not there and for a configuration without one."""
    none = report(folder)
    (folder / "experts.yaml").write_text(CONFIG.replace("usage: {", "# usage: {"), encoding="utf-8")
    off = report(folder)
    assert (none.returncode, off.returncode) == (1, 1)
    assert "usage.file" in none.stderr
    assert "usage.file" in off.stderr
    assert "Traceback" not in none.stderr + off.stderr


def test_feedback_becomes_what_training_reads(folder: Path) -> None:
    """Specified: corrected categories as examples, scores as graded outcomes; the router is trained on both."""
    lines: list[DecisionLine | FeedbackLine] = []
    for number in range(40):
        lines += [decided(number, query=f"chant verse {number}"), judged(number, score=number % 2, category="tales")]
    lines.append(judged(3, score=0.75, category="sums"))
    write(folder / "usage.jsonl", *lines)
    done = orchestrator("usage", "export", "--examples", "e.jsonl", "--scores", "s.jsonl", "--json", cwd=folder)
    assert json.loads(done.stdout)["e.jsonl"] == {"lines": 40, "new": 40, "passed_over": {}}
    examples = [json.loads(line) for line in (folder / "e.jsonl").read_text(encoding="utf-8").splitlines()]
    scores = [json.loads(line) for line in (folder / "s.jsonl").read_text(encoding="utf-8").splitlines()]
    assert examples[-1] == {"query": "chant verse 3", "category": "sums"}
    assert scores[0] == {
        "query": "chant verse 0",
        "category": "tales",
        "outcomes": {"cheap": {"score": 0.0, "cost_usd": 0.001}},
    }
    trained = orchestrator("train", "--data", "e.jsonl", "--scores", "s.jsonl", "--json", cwd=folder)
    assert trained.returncode == 0, trained.stderr
    learned = json.loads(trained.stdout)
    assert (learned["examples"], learned["mapping"]["queries"]) == (48, 40)


def test_what_is_there_goes_along_and_what_was_said_later_counts(folder: Path) -> None:
    """Specified: --together; a correction replaces the example that says otherwise, so that training takes both."""
    old = [("Add 1 and two", "tales"), ("a poem", "tales")]
    text = "".join(json.dumps({"query": query, "category": category}) + "\n" for query, category in old)
    (folder / "old.jsonl").write_text(text, encoding="utf-8")
    (folder / "old_scores.jsonl").write_text(
        '{"category": "tales", "outcomes": {"dear": {"score": 1}}}\n', encoding="utf-8"
    )
    config = CONFIG + "routing: {examples: old.jsonl, scores: old_scores.jsonl}\n"
    (folder / "experts.yaml").write_text(config, encoding="utf-8")
    write(folder / "usage.jsonl", decided(1), judged(1, category="sums", score=1))
    arguments = ("--together", "--examples", "old.jsonl", "--scores", "both.jsonl")
    done = orchestrator("usage", "export", *arguments, cwd=folder)
    assert done.stdout.splitlines() == [
        "old.jsonl: 2 lines, 1 of them from use",
        "both.jsonl: 2 lines, 1 of them from use",
    ]
    examples = [json.loads(line) for line in (folder / "old.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(one["query"], one["category"]) for one in examples] == [("a poem", "tales"), ("add 1 and two", "sums")]


def test_what_cannot_be_exported_is_counted_with_its_reason(folder: Path) -> None:
    """Ours: without texts scores still tell of categories; experts and categories that are gone do not."""
    write(
        folder / "usage.jsonl",
        decided(1, query=None),
        judged(1, score=1, category="sums"),
        decided(2, query=None, method="bypass", category=None),
        judged(2, score=1),
        decided(3),
        judged(3, score=1, expert="gone", category="also-gone"),
        judged(9, score=1),
    )
    done = orchestrator("usage", "export", "--examples", "e.jsonl", "--scores", "s.jsonl", "--json", cwd=folder)
    told = json.loads(done.stdout)
    assert told["e.jsonl"]["lines"] == 0
    assert sum(told["e.jsonl"]["passed_over"].values()) == 2
    assert (told["s.jsonl"]["lines"], len(told["s.jsonl"]["passed_over"])) == (1, 3)
    nothing = orchestrator("usage", "export", cwd=folder)
    assert nothing.returncode == 2
