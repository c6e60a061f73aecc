"""`train --add-expert`: a new expert is placed in the served mapping from a few shots, as a user runs it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.config import load
from orchestrator.engine import embedders_of
from orchestrator.training import load_mapping, why_train
from tests.cli.test_verbs import Done, orchestrator

CONFIG = """\
version: 1
categories:
  sums: {description: sums, examples: [add one and two, sum these, plus and minus, total of all], experts: [cheap]}
  tales: {description: stories, examples: [tell a tale, once upon a time, a story, write a fable], experts: [cheap]}
  general: {description: the rest, experts: [cheap]}
general: general
experts:
  cheap: {kind: mcp, server: &none {command: no-such-program}, tool: t, active_params_b: 1}
  dear: {kind: mcp, server: *none, tool: t, active_params_b: 9}
  fresh: {kind: mcp, server: *none, tool: t}
routing: {scores: grades.jsonl}
"""
SKILL = {"sums": {"cheap": 0.3, "dear": 0.7}, "tales": {"cheap": 0.8, "dear": 0.5}}

Row = dict[str, Any]


def graded() -> list[Row]:
    """Of two experts, 160 queries."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(160):
        category = ("sums", "tales")[number % 2]
        hard = rng.random()
        outcomes = {
            expert: {"score": float(0.7 * hard + 0.3 * rng.random() < skill), "cost_usd": cost}
            for (expert, skill), cost in zip(SKILL[category].items(), (0.001, 0.004), strict=True)
        }
        rows.append({"query": f"{category} number {number}", "category": category, "outcomes": outcomes})
    return rows


def shot(row: Row, score: float, cost_usd: float = 0.002) -> Row:
    """The new expert on a graded query, without its category: what is known of the query says it."""
    return {"query": row["query"], "outcomes": {"fresh": {"score": score, "cost_usd": cost_usd}}}


def write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained router and a mapping of two experts."""
    folder = tmp_path_factory.mktemp("learned")
    (folder / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    write(folder / "grades.jsonl", graded())
    assert orchestrator("train", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def folder(learned: Path, tmp_path: Path) -> Path:
    """A copy of it, with shots of a third expert that is always right."""
    shutil.copytree(learned, tmp_path, dirs_exist_ok=True)
    write(tmp_path / "shots.jsonl", [shot(row, 1.0) for row in graded()[:40]])
    return tmp_path


def added(folder: Path, *more: str | Path, expert: str = "fresh") -> Done:
    return orchestrator("train", "experts.yaml", "--add-expert", expert, "--shots", "shots.jsonl", *more, cwd=folder)


def told(folder: Path) -> dict[str, Any]:
    done = added(folder, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_new_expert_is_placed_and_routed_to_and_the_classifier_is_the_same_file(folder: Path) -> None:
    """Specified: nothing is retrained, and the next `serve` accepts what was written."""
    tensors = (folder / "artifacts/router/classifier.safetensors").read_bytes()
    done = added(folder)
    assert done.returncode == 0, done.stderr
    assert "saved to" in done.stdout
    assert (folder / "artifacts/router/classifier.safetensors").read_bytes() == tensors
    plans = json.loads(orchestrator("mapping", "--json", cwd=folder).stdout)["plans"]
    assert plans["sums"]["experts"][0] == plans["tales"]["experts"][0] == "fresh"
    config = load(folder / "experts.yaml", environment={}).config
    assert why_train(config, embedders_of(config).load) == ""
    manifest = json.loads((folder / "artifacts/router/manifest.json").read_bytes())
    (placed,) = manifest["mapping"]["placed"]
    assert (placed["expert"], placed["shots"]) == ("fresh", 40)


def test_the_report_says_who_gains_and_by_how_much(folder: Path) -> None:
    """Specified: by category the plan before and after, gain with interval, cost and shots; as JSON and as a table."""
    found = told(folder)
    sums, tales = found["categories"]
    assert (sums["category"], sums["shots"], sums["verdict"]) == ("sums", 20, "gains")
    assert (sums["before"]["experts"][0], sums["after"]["experts"][0]) == ("dear", "fresh")
    assert 0 < sums["gain"]["low"] < sums["gain"]["value"] < sums["gain"]["high"]
    assert (sums["cost_before"], sums["cost_after"]) == (pytest.approx(0.004), pytest.approx(0.002, rel=0.3))
    assert tales["shots"] == 20
    assert found["shots"] == {"used": 40, "paired": 40, "elsewhere": 0}


def test_the_table_stands_on_one_line_a_category(folder: Path) -> None:
    """Ours: in a file or a pipe nothing is folded."""
    lines = added(folder).stdout.splitlines()
    expected, seen = (line for line in lines if line.split()[:1] == ["sums"])
    assert (expected.split()[-1], seen.split()[-1]) == ("gains", "unclear")  # 20 queries do not prove it
    assert "40 shots of fresh, 40 of them with grades of others" in lines


def test_an_expert_that_is_always_wrong_changes_no_first_choice(folder: Path) -> None:
    """Specified: it becomes the last fallback."""
    write(folder / "shots.jsonl", [shot(row, 0.0) for row in graded()[:40]])
    found = told(folder)
    assert [change["verdict"] for change in found["categories"]] == ["same", "same"]
    assert [change["after"]["experts"][-1] for change in found["categories"]] == ["fresh", "fresh"]


def test_a_clone_is_reported_as_redundant(folder: Path) -> None:
    """Specified: with whom, from the common queries of the graded outcomes."""
    write(folder / "shots.jsonl", [{**row, "outcomes": {"fresh": row["outcomes"]["dear"]}} for row in graded()[:40]])
    copy = folder / "copy"
    shutil.copytree(folder, copy)
    assert told(folder)["redundant"] == {"fresh": "dear"}
    assert "fresh with dear" in added(copy).stdout


def test_shots_without_a_category_go_where_the_router_sends_them(folder: Path) -> None:
    """Specified: the classifier is asked where neither the shot nor the graded outcomes say."""
    queries = ["add one and two", "sum these", "plus and minus", "total of all", "once upon a time", "a story"]
    write(folder / "shots.jsonl", [shot({"query": query}, 1.0) for query in queries])
    found = told(folder)
    assert [(change["category"], change["shots"]) for change in found["categories"]] == [("sums", 4), ("tales", 2)]
    assert found["shots"] == {"used": 6, "paired": 0, "elsewhere": 0}


def test_the_shots_may_stand_in_any_order(folder: Path) -> None:
    """Specified: the same mapping to the byte."""
    other = folder / "other"
    shutil.copytree(folder, other)
    rows = [shot(row, float(number % 3 > 0), 0.001 * number) for number, row in enumerate(graded()[:30], start=1)]
    write(folder / "shots.jsonl", rows)
    write(other / "shots.jsonl", rows[::-1])
    assert told(folder) == told(other)
    written = [(place / "artifacts/router/mapping.json").read_bytes() for place in (folder, other)]
    assert written[0] == written[1]


def test_appended_shots_are_learned_by_a_full_training(folder: Path) -> None:
    """Specified: the changed grades are noticed, and the mapping is of the same kind, shares and all."""
    assert added(folder).returncode == 0
    config = load(folder / "experts.yaml", environment={}).config
    placed = load_mapping(config)
    rows = graded()
    for row in rows[:40]:
        row["outcomes"]["fresh"] = {"score": 1.0, "cost_usd": 0.002}
    write(folder / "grades.jsonl", rows)
    assert why_train(config, embedders_of(config).load) == "the graded outcomes have changed"
    assert orchestrator("train", cwd=folder).returncode == 0
    learned = load_mapping(config)
    assert placed is not None
    assert learned is not None
    assert learned.experts == placed.experts
    assert learned.shares == placed.shares
    assert "placed" not in json.loads((folder / "artifacts/router/manifest.json").read_bytes())["mapping"]


def test_a_graded_expert_is_not_added_again(folder: Path) -> None:
    """Specified: exit status 2, and how to replace it."""
    assert added(folder).returncode == 0
    again, graded_one = added(folder), added(folder, expert="dear")
    assert (again.returncode, graded_one.returncode) == (2, 2)
    how = "is graded already; to replace that, append its shots to the graded outcomes and run 'orchestrator train'"
    assert how in again.stderr
    assert how in graded_one.stderr
    assert "without them and add it again" in again.stderr
    assert "without them and add it again" not in graded_one.stderr


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([shot(graded()[0], 1.0)] * 4, "shots.jsonl: 4 shots of 'fresh'; at least 5 are needed"),
        (
            [shot(graded()[0], 1.0)] * 9,
            "shots.jsonl: 1 shots that count (8 of 9 lines repeat a query); at least 5 are needed",
        ),
        (
            [{"category": "general", "outcomes": {"fresh": {"score": 1}}}] * 5,
            "shots.jsonl: 0 shots that count (5 are of categories that nothing was learned of); at least 5 are needed",
        ),
        (
            [{"category": "verse", "outcomes": {"fresh": {"score": 1}}}],
            "shots.jsonl:1: category 'verse' is unknown; known: sums, tales, general",
        ),
        (
            [{"category": "sums", "outcomes": {"dear": {"score": 1}}}],
            "shots.jsonl:1: outcomes: no grade of 'fresh'; each shot is a query that it answered",
        ),
        (
            [{"category": "sums", "outcomes": {"fresh": {"score": 2}}}],
            "shots.jsonl:1: outcomes.fresh.score must be a number from 0 to 1",
        ),
        (
            [{"category": "sums", "outcomes": {"fresh": {"score": 1}}}] * 5,
            "no shot says what 'fresh' costs (cost_usd); say it, as of others; 0 if nothing",
        ),
    ],
)
def test_shots_that_cannot_be_used_are_told_by_line(rows: list[Row], said: str, folder: Path) -> None:
    """Specified: exit status 2, one line each, and the artifact stays as it is."""
    before = (folder / "artifacts/router/manifest.json").read_bytes()
    write(folder / "shots.jsonl", rows)
    done = added(folder)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (2, "", said)
    assert (folder / "artifacts/router/manifest.json").read_bytes() == before


def test_an_unknown_expert_is_named(folder: Path) -> None:
    """Specified: with those that there are."""
    done = added(folder, expert="ghost")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "--add-expert: 'ghost' is not in experts; known: cheap, dear, fresh"


def test_without_a_learned_mapping_there_is_no_place(folder: Path) -> None:
    """Specified: exit status 2, and what to do."""
    (folder / "experts.yaml").write_text(CONFIG.replace("routing: {scores: grades.jsonl}\n", ""), encoding="utf-8")
    assert orchestrator("train", cwd=folder).returncode == 0
    done = added(folder)
    assert done.returncode == 2
    assert "run 'orchestrator train --scores FILE' first" in done.stderr


@pytest.mark.parametrize("arguments", [("--add-expert", "fresh"), ("--shots", "shots.jsonl")])
def test_the_expert_and_its_shots_need_each_other(arguments: tuple[str, str], folder: Path) -> None:
    """Ours: half of it is a mistake, and trains nothing."""
    done = orchestrator("train", *arguments, cwd=folder)
    assert done.returncode == 2
    assert "need each other" in done.stderr


def test_a_mapping_that_is_out_of_date_is_not_enlarged(folder: Path) -> None:
    """Ours: changed grades or another budget ask for training first."""
    (folder / "experts.yaml").write_text(CONFIG + "budget: {cost_per_query: 0.003}\n", encoding="utf-8")
    done = added(folder)
    assert done.returncode == 2
    assert "have changed since the mapping was learned; run 'orchestrator train' first" in done.stderr
    (folder / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    write(folder / "grades.jsonl", graded()[:100])
    done = added(folder)
    assert done.returncode == 2
    assert "grades.jsonl: not what the mapping was learned from; run 'orchestrator train' first" in done.stderr


def test_the_budget_is_kept(folder: Path) -> None:
    """Specified: an expert that is always right answers nothing where it costs too much."""
    (folder / "experts.yaml").write_text(CONFIG + "budget: {cost_per_query: 0.003}\n", encoding="utf-8")
    assert orchestrator("train", cwd=folder).returncode == 0
    write(folder / "shots.jsonl", [shot(row, 1.0, 0.1) for row in graded()[:40]])
    assert [change["verdict"] for change in told(folder)["categories"]] == ["same", "same"]


ADAPTED = CONFIG.replace(
    "cheap: {kind: mcp, server: &none {command: no-such-program}, tool: t, active_params_b: 1}",
    "cheap: {kind: vllm, model: m, replicas: [http://127.0.0.1:9], active_params_b: 1, max_adapters: 1}\n"
    "  other: {kind: vllm, base: cheap, adapter: o, path: /adapters/o}",
).replace("dear: {kind: mcp, server: *none,", "dear: {kind: mcp, server: {command: no-such-program},")
ADAPTED = ADAPTED.replace(
    "fresh: {kind: mcp, server: *none, tool: t}", "fresh: {kind: vllm, base: cheap, adapter: f, path: /adapters/f}"
)


def test_an_adapter_is_compared_with_its_base(folder: Path) -> None:
    """Specified: planted interference is flagged: it is right in all sums and wrong in all tales, unlike its base."""
    (folder / "experts.yaml").write_text(ADAPTED, encoding="utf-8")
    assert orchestrator("train", cwd=folder).returncode == 0
    rows = [shot(row, float(row["category"] == "sums")) for row in graded()[:80]]
    write(folder / "shots.jsonl", rows)
    copy = folder / "copy"
    shutil.copytree(folder, copy)
    found = told(folder)["interference"]
    sums, tales = found["categories"]
    assert (found["base"], sums["answers"], tales["answers"]) == ("cheap", True, False)
    assert (sums["on_base"]["verdict"], tales["on_base"]["verdict"]) == ("gains", "loses")
    assert (sums["routed"]["queries"], sums["routed"]["verdict"]) == (40, "gains")
    assert (tales["routed"]["verdict"], tales["routed"]["difference"]["value"]) == ("same", 0)
    assert tales["on_base"]["difference"]["high"] < 0
    assert (found["overall"]["verdict"], found["warnings"]) == ("gains", [])
    lines = added(copy).stdout.splitlines()
    assert any(line.split()[:1] == ["tales"] and "loses" in line for line in lines)
    (shared,) = [line for line in lines if line.startswith("cheap holds other, fresh;")]
    assert shared.endswith("max_adapters 1: as queries are routed, no more are asked")


def test_how_adapters_share_their_base_shows_in_the_mapping(folder: Path) -> None:
    """Specified: adapters per base, and whether all fit."""
    (folder / "experts.yaml").write_text(ADAPTED, encoding="utf-8")
    assert orchestrator("train", cwd=folder).returncode == 0
    (shared,) = json.loads(orchestrator("mapping", "--json", cwd=folder).stdout)["shared_bases"]
    assert (shared["base"], shared["at_run_time"], shared["max_adapters"]) == ("cheap", ["other", "fresh"], 1)
    assert "cheap holds other, fresh; 2 are loaded at run time" in orchestrator("mapping", cwd=folder).stdout
