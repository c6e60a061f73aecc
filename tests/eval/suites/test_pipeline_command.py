"""`orchestrator eval pipeline` and `eval episodes` as a user runs them: a trained router, real tools, real files."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_verbs import Done, orchestrator

ROOT = Path(__file__).parents[3]
CONFIG = f"""\
version: 1
categories:
  arithmetic: {{description: sums, experts: [calculator]}}
  units: {{description: conversion, experts: [converter]}}
  general: {{description: the rest, experts: [calculator]}}
general: general
routing: {{examples: queries.jsonl, max_latency_ms: 10000}}
experts:
  calculator:
    kind: mcp
    server: &tools {{command: "{sys.executable}", args: ["{ROOT}/example/tools/server.py"]}}
    tool: calculate
    arguments: {{expression: "{{query}}"}}
  converter: {{kind: mcp, server: *tools, tool: convert, arguments: {{quantity: "{{query}}"}}}}
"""
QUESTIONS = [
    {"query": "What is 23% of 1,840?", "gold": "423.2", "category": "arithmetic"},
    {"query": "12 choose 5", "gold": "792", "category": "arithmetic"},
    {"query": "68 fahrenheit to celsius", "gold": "20", "category": "units"},
    {"query": "2.4 bar in psi", "gold": "1", "category": "units"},
]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained router over two tools of the example, and questions whose answers are known."""
    folder = tmp_path_factory.mktemp("tools")
    examples = [json.loads(line) for line in (ROOT / "example/queries.jsonl").read_text(encoding="utf-8").splitlines()]
    known = [row for row in examples if row["category"] in {"arithmetic", "units"}]
    (folder / "queries.jsonl").write_text(lines(known), encoding="utf-8")
    (folder / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "questions.jsonl").write_text(lines(QUESTIONS), encoding="utf-8")
    done = orchestrator("train", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def run(folder: Path, *arguments: str) -> Done:
    return orchestrator("eval", *arguments, cwd=folder)


@pytest.mark.slow
def test_real_tools_are_asked_graded_and_compared(folder: Path) -> None:
    """Queries without an id go by their place; the findings are a file that compares with itself."""
    done = run(folder, "pipeline", "questions.jsonl", "--json", "found.json")
    assert done.returncode == 0, done.stderr
    assert "score_by_expert.converter" in done.stdout
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    assert found["queries"]["ids"] == [f"questions.jsonl:{n}" for n in (1, 2, 3, 4)]
    assert found["queries"]["values"]["score"] == [1, 0, 1, 0]
    assert (found["routed"]["value"], found["answered"]["value"]) == (1, 0.75)
    assert found["errors"] == {"ExpertRejected": 1}  # the calculator knows no "choose"
    (units,) = [worst for worst in found["slices"] if worst["slice"] == "category = units"]
    assert units["examples"][0]["got"].startswith("34.8")
    assert run(folder, "compare", "found.json", "found.json").returncode == 0


@pytest.mark.slow
def test_nothing_answered_is_a_failed_run(folder: Path) -> None:
    """Its findings are written all the same, since they say why."""
    done = run(folder, "pipeline", "questions.jsonl", "--deadline-s", "0.001", "--limit", "2", "--json", "late.json")
    assert done.returncode == 1
    assert "not one query was answered" in done.stderr
    late = json.loads((folder / "late.json").read_text(encoding="utf-8"))
    assert sum(late["errors"].values()) == 2
    assert late["run"]["settings"]["deadline_s"] == 0.001


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"query": "q", "category": "unit"}], "category: 'unit' is none of the configuration"),
        ([{"query": "q", "golden": "1"}], "unknown column 'golden'"),
    ],
    ids=["unknown category", "wrong column"],
)
def test_data_that_cannot_be_used_ends_with_its_place(folder: Path, rows: list[dict[str, Any]], problem: str) -> None:
    """Exit status 2, before anything is loaded."""
    (folder / "bad.jsonl").write_text(lines(rows), encoding="utf-8")
    done = run(folder, "pipeline", "bad.jsonl")
    assert done.returncode == 2
    assert f"bad.jsonl:1: {problem}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_unknown_model_fails_with_those_there_are(folder: Path) -> None:
    """No stack trace out of the engine's task groups."""
    (folder / "one.jsonl").write_text(lines(QUESTIONS[:1]), encoding="utf-8")
    done = run(folder, "pipeline", "one.jsonl", "--model", "gpt-9")
    assert done.returncode == 1
    assert "The model 'gpt-9' does not exist. Known: auto, fuse, calculator, converter." in done.stderr


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    """A folder with a few queries and how two experts did on them."""
    rows = [
        {"query": f"q{n}", "outcomes": {"a": {"score": n % 2, "cost_usd": 0.01}, "b": {"score": 1, "cost_usd": 0.02}}}
        for n in range(20)
    ]
    (tmp_path / "outcomes.jsonl").write_text(lines(rows), encoding="utf-8")
    return tmp_path


def test_episodes_are_written_and_played_again_to_the_byte(outcomes: Path) -> None:
    """Exit status 0 for the same, 1 with the line for what differs."""
    done = run(outcomes, "episodes", "outcomes.jsonl", "--episodes", "5", "--lambda", "2", "--write", "t.jsonl")
    assert done.returncode == 0, done.stderr
    assert "episode_return" in done.stdout
    again = run(outcomes, "episodes", "outcomes.jsonl", "--replay", "t.jsonl")
    assert (again.returncode, again.stdout) == (0, "t.jsonl: 56 lines, the same to the byte\n")
    written = (outcomes / "t.jsonl").read_text(encoding="utf-8")
    (outcomes / "t.jsonl").write_text(written.replace('"step":3', '"step":4', 1), encoding="utf-8")
    differs = run(outcomes, "episodes", "outcomes.jsonl", "--replay", "t.jsonl")
    assert differs.returncode == 1
    assert differs.stdout.startswith("t.jsonl:5: differs\n  written:  {")


def test_two_policies_are_compared_over_the_same_episodes(outcomes: Path) -> None:
    """Paired by the episode: the same seed drew them."""
    for expert in ("a", "b"):
        arguments = ("episodes", "outcomes.jsonl", "--policy", f"expert:{expert}", "--json", f"{expert}.json")
        assert run(outcomes, *arguments).returncode == 0
    done = run(outcomes, "compare", "b.json", "a.json", "--json", "-")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["regressions"] == ["episode_return", "episode_score"]
    assert found["figures"]["episode_cost_usd"]["verdict"] == "better"
    assert found["figures"]["episode_score"]["method"] == "paired"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--policy", "expert:zzz"], "--policy expert:zzz: expected random"),
        (["--length", "21"], "episodes of 21 queries cannot be drawn from 20 records"),
        (["--experts", "a,c"], "outcomes.jsonl:1: no outcome of 'c' (20 records lack it)"),
        (["--replay", "outcomes.jsonl"], "outcomes.jsonl: line 1, the header of a trajectory"),
        (["--replay", "absent.jsonl"], "absent.jsonl: cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_played_ends_with_exit_status_2(outcomes: Path, arguments: list[str], problem: str) -> None:
    """One line each."""
    done = run(outcomes, "episodes", "outcomes.jsonl", *arguments)
    assert done.returncode == 2
    assert problem in done.stderr
