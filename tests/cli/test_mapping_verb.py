"""`train --scores` and `mapping`: from graded outcomes to plans that are served, as a user runs it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.config import load
from orchestrator.engine import embedders_of
from orchestrator.training import why_train
from tests.cli.test_verbs import Done, orchestrator

CONFIG = """\
version: 1
categories:
  sums: {description: sums, examples: [add one and two, sum these, plus and minus, total of all], experts: [fresh]}
  tales: {description: stories, examples: [tell a tale, once upon a time, a story, write a fable], experts: [cheap]}
  general: {description: the rest, experts: [cheap]}
general: general
experts:
  cheap: {kind: mcp, server: &none {command: no-such-program}, tool: t, active_params_b: 1}
  dear: {kind: mcp, server: *none, tool: t, active_params_b: 9}
  fresh: {kind: mcp, server: *none, tool: t}
"""


def write_grades(path: Path, *, priced: bool = True) -> None:
    """Forty graded queries: `dear` is right in all sums, `cheap` in all tales; half of them have no category."""
    rows: list[dict[str, object]] = []
    for number in range(40):
        category, query = [("sums", "add one and two"), ("tales", "once upon a time")][number % 2]
        scores = {"cheap": float(category == "tales"), "dear": float(category == "sums")}
        outcomes = {
            expert: {"score": score} | ({"cost_usd": {"cheap": 0.001, "dear": 0.004}[expert]} if priced else {})
            for expert, score in scores.items()
        }
        rows.append({"outcomes": outcomes} | ({"category": category} if number % 4 < 2 else {"query": query}))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and graded outcomes."""
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    write_grades(tmp_path / "grades.jsonl")
    return tmp_path


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a mapping learned."""
    folder = tmp_path_factory.mktemp("learned")
    (folder / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    write_grades(folder / "grades.jsonl")
    done = orchestrator("train", "--scores", "grades.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "learned from 40 graded queries" in done.stdout
    return folder


def configure(folder: Path, *, replace: Sequence[tuple[str, str]] = (), more: str = "") -> None:
    text = CONFIG
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    (folder / "experts.yaml").write_text(text + more, encoding="utf-8")


def trained(folder: Path) -> Done:
    return orchestrator("train", "--scores", "grades.jsonl", "--json", cwd=folder)


def test_training_learns_who_answers_what_and_routing_follows(learned: Path) -> None:
    """Specified: queries without a category go to the predicted one; ungraded experts follow as fallbacks."""
    plans = json.loads(orchestrator("mapping", "--json", cwd=learned).stdout)["plans"]
    routed = json.loads(orchestrator("route", "sum these", "--json", cwd=learned).stdout)["choose"]
    assert plans["sums"]["experts"] == routed["experts"] == ["dear", "cheap", "fresh"]
    assert plans["tales"]["experts"] == ["cheap", "dear"]
    assert (plans["general"]["experts"], plans["general"]["cost_quality"]) == (["cheap"], None)
    assert (routed["cost_quality"], routed["reason"]) == (
        1.0,
        "category 'sums', learned plan, the best within the budget",
    )


def test_training_without_grades_learns_no_mapping(folder: Path) -> None:
    """Ours: the report says so, and `mapping` says what to do."""
    report = json.loads(orchestrator("train", "--json", cwd=folder).stdout)
    shown = orchestrator("mapping", cwd=folder)
    assert report["mapping"] is None
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "orchestrator train --scores FILE" in shown.stderr


def test_the_matrix_shows_every_score_and_marks_the_chosen(learned: Path) -> None:
    """Specified: rows are categories, columns are experts; below it, what stands as listed and why."""
    lines = orchestrator("mapping", cwd=learned).stdout.splitlines()
    header = next(line for line in lines if "category" in line)
    assert header.split() == ["category", "cheap", "dear"]
    rows = {line.split()[0]: line for line in lines if "[" in line}
    sums, tales = rows["sums"], rows["tales"]
    assert sums.count("[") == tales.count("[") == 2
    assert sums.rstrip().endswith("*")
    assert tales.index("*") < tales.rindex("[")
    assert "general: cheap, as listed in the configuration (none of its queries were graded)" in lines


def test_the_difference_of_two_artifacts_is_shown(learned: Path, folder: Path) -> None:
    """Specified: under a tighter budget the dear expert goes; as lines, and as JSON."""
    configure(folder, more="budget: {cost_per_query: 0.002}\n")
    assert trained(folder).returncode == 0
    other = learned / "artifacts/router"
    shown = orchestrator("mapping", "--diff", other, cwd=folder)
    found = json.loads(orchestrator("mapping", "--diff", other, "--json", cwd=folder).stdout)
    assert "category sums: dear (then cheap) -> cheap (then dear)" in found["diff"]
    assert all(f"  {change}" in shown.stdout.splitlines() for change in found["diff"])
    same = orchestrator("mapping", "--diff", folder / "artifacts/router", cwd=folder)
    assert "  nothing has changed" in same.stdout.splitlines()


def test_an_override_keeps_a_category_as_listed(learned: Path, folder: Path) -> None:
    """Specified: no training is needed for it to hold."""
    shutil.copytree(learned / "artifacts", folder / "artifacts")
    configure(folder, replace=[("experts: [fresh]", "experts: [fresh], override: true")])
    routed = json.loads(orchestrator("route", "sum these", "--json", cwd=folder).stdout)["choose"]
    assert (routed["experts"], routed["cost_quality"]) == (["fresh"], None)
    assert "sums: fresh, as listed in the configuration (override)" in orchestrator("mapping", cwd=folder).stdout


def test_unknown_names_in_the_grades_are_told_by_line(folder: Path) -> None:
    """Specified: every one with its place, exit status 2; nothing is trained."""
    rows = [
        {"category": "sums", "outcomes": {"cheap": {"score": 1}, "gpt-9": {"score": 1}}},
        {"category": "verse", "outcomes": {"cheap": {"score": 1}}},
    ]
    (folder / "grades.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = trained(folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line for line in done.stderr.splitlines() if line.startswith("grades.jsonl")] == [
        "grades.jsonl:1: outcomes: expert 'gpt-9' is unknown; known: cheap, dear, fresh",
        "grades.jsonl:2: category 'verse' is unknown; known: sums, tales, general",
    ]
    assert not (folder / "artifacts").exists()


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("cost_per_query: 0.0005", "budget.cost_per_query: 0.0005 cannot be met; the least that can is 0.001"),
        ("active_params_b: 0.5", "budget.active_params_b: 0.5 cannot be met; the least that can is 1"),
    ],
)
def test_an_infeasible_budget_names_the_key_and_the_nearest_value(budget: str, said: str, folder: Path) -> None:
    """Specified: exit status 2; no artifact is left."""
    configure(folder, more=f"budget: {{{budget}}}\n")
    done = trained(folder)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (2, "", said)
    assert not (folder / "artifacts").exists()


def test_what_the_budget_limits_must_be_known(folder: Path) -> None:
    """Ours: costs in the grades, sizes in the configuration; of every graded expert."""
    write_grades(folder / "grades.jsonl", priced=False)
    configure(
        folder,
        replace=[(", active_params_b: 9", "")],
        more="budget: {cost_per_query: 1, active_params_b: 5}\n",
    )
    done = trained(folder)
    unpriced = "costs (cost_usd); say it, since budget.cost_per_query is set; 0 if nothing"
    assert done.returncode == 2
    assert done.stderr.splitlines()[-3:] == [
        f"grades.jsonl: no line says what 'cheap' {unpriced}",
        f"grades.jsonl: no line says what 'dear' {unpriced}",
        "experts.dear.active_params_b: needed, since 'dear' is graded and budget.active_params_b is set",
    ]


def test_serving_trains_again_when_the_grades_or_the_budget_change(folder: Path) -> None:
    """Specified: `routing.scores` is part of what a router must fit."""

    def why() -> str:
        config = load(folder / "experts.yaml", environment={}).config
        return why_train(config, embedders_of(config).load)

    scores = "routing: {scores: grades.jsonl}\n"
    assert orchestrator("train", cwd=folder).returncode == 0
    assert why() == ""
    configure(folder, more=scores)
    assert why() == "no mapping was learned from routing.scores"
    assert orchestrator("train", cwd=folder).returncode == 0
    assert why() == ""
    configure(folder, more=scores + "budget: {cost_per_query: 0.002}\n")
    assert why() == "the budget or the experts' active_params_b have changed"
    configure(folder, more=scores)
    (folder / "artifacts/router/mapping.json").write_text("{}", encoding="utf-8")
    assert "mapping.json is damaged" in why()
    write_grades(folder / "grades.jsonl", priced=False)
    assert why() == "the graded outcomes have changed"


def test_a_damaged_mapping_is_not_served(learned: Path, folder: Path) -> None:
    """Specified: exit status 1, the file and what to do."""
    shutil.copytree(learned / "artifacts", folder / "artifacts")
    (folder / "artifacts/router/mapping.json").write_text("{}", encoding="utf-8")
    done = orchestrator("route", "sum these", cwd=folder)
    assert done.returncode == 1
    assert "mapping.json is damaged" in done.stderr
    assert "Traceback" not in done.stderr
