"""`train --scores` with recorded answers: fuse plans that are learned, shown and routed to, as a user runs it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from orchestrator.config import load
from orchestrator.embedders import Embedders
from orchestrator.training import why_train
from tests.cli.test_verbs import orchestrator

EXPERTS = ("ann", "bob", "cyd")
CONFIG = """\
version: 1
categories:
  sums: {description: sums, examples: [add one and two, sum these, plus and minus, total of all], experts: [ann]}
  tales: {description: stories, examples: [tell a tale, once upon a time, a story, write a fable], experts: [ann]}
  general: {description: the rest, experts: [ann]}
general: general
routing: {scores: grades.jsonl}
experts:
  ann: {kind: mcp, server: &none {command: no-such-program}, tool: t}
  bob: {kind: mcp, server: *none, tool: t}
  cyd: {kind: mcp, server: *none, tool: t}
"""


def grades(*, fuse: dict[str, object] | None = None) -> str:
    """240 lines: even and independent experts in sums, one that is nearly always right in tales."""
    random = np.random.default_rng(3)
    rows = []
    for number in range(240):
        category = ("sums", "tales")[number % 2]
        right = random.random(3) < np.array((0.65, 0.65, 0.65) if category == "sums" else (0.97, 0.3, 0.3))
        outcomes: dict[str, object] = {
            name: {"score": float(hit), "cost_usd": 0.001, "answer": str(7 if hit else random.integers(8, 11))}
            for name, hit in zip(EXPERTS, right.tolist(), strict=True)
        }
        rows.append({"category": category, "outcomes": outcomes | ({"fuse": fuse} if fuse else {})})
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and graded outcomes."""
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "grades.jsonl").write_text(grades(), encoding="utf-8")
    return tmp_path


def test_a_learned_fuse_plan_is_shown_and_routed_to(folder: Path) -> None:
    """Specified: the matrix marks it with its gain; routing names it; fewer drafts allowed means training again."""
    done = orchestrator("train", cwd=folder)
    assert "learned from 240 graded queries, fuse plans for 1 of 2 categories" in done.stdout, done.stderr
    lines = orchestrator("mapping", cwd=folder).stdout.splitlines()
    sums, tales = (next(line for line in lines if line.strip().startswith(name)) for name in ("sums", "tales"))
    assert "vote: " in sums
    assert any(f" over {expert}, helped " in sums for expert in EXPERTS)
    assert re.search(
        r"helped \d+, harmed \d+ of 120 queries: \+0\.\d{3}, with drafts dropped at random [+-]0\.\d{3} \*$",
        sums.rstrip(),
    )
    assert tales.index("*") < tales.index("vote: ")
    assert "fuse plans, from 240 queries, are chosen where the lower bound of their gain is above 0:" in lines
    choose = json.loads(orchestrator("route", "sum these", "--json", cwd=folder).stdout)["choose"]
    mapping = json.loads(orchestrator("mapping", "--json", cwd=folder).stdout)
    plan = mapping["plans"]["sums"]
    assert plan["kind"] == "fuse"
    assert choose["reason"].startswith("category 'sums', learned fuse plan, gain +0.")
    evidence = choose["evidence"]
    assert evidence["helped"] > evidence["harmed"]
    assert evidence["placebo"] < evidence["counted"]
    assert evidence["counted"] == pytest.approx((evidence["helped"] - evidence["harmed"]) / evidence["compared"])
    confidence = mapping["mapping"]["fused"][mapping["mapping"]["frontier"][-1]["changes"]["sums"]]["confidence"]
    assert f"(each bound at {confidence:.0%})" in choose["reason"]
    told = orchestrator("route", "sum these", "--explain", cwd=folder).stdout
    assert f"helped {evidence['helped']}, harmed {evidence['harmed']} of 120" in " ".join(told.split())
    assert choose["weights"] == dict(zip(plan["experts"], plan["weights"], strict=True))
    (folder / "experts.yaml").write_text(f"{CONFIG}fusion: {{max_drafts: 2}}\n", encoding="utf-8")
    config = load(folder / "experts.yaml", environment={}).config
    assert why_train(config, Embedders(config.folder).load) == "fusion.max_drafts has changed"


def test_what_a_graded_fuse_plan_lacks_is_told(folder: Path) -> None:
    """Specified: unknown names by line; a cost as of the experts, since a verdict's cannot be added up."""
    fuse = {"experts": ["ann", "bob", "eve"], "verdict": "zoe", "score": 1}
    (folder / "grades.jsonl").write_text(grades(fuse=fuse).splitlines()[0], encoding="utf-8")
    done = orchestrator("train", cwd=folder)
    assert done.returncode == 2
    assert [line.partition("grades.jsonl:")[2] for line in done.stderr.splitlines() if "fuse" in line] == [
        f"1: outcomes.fuse: expert {name!r} is unknown; known: ann, bob, cyd" for name in ("eve", "zoe")
    ]
    fuse = {"experts": ["ann", "bob"], "score": 1}
    (folder / "grades.jsonl").write_text(grades(fuse=fuse), encoding="utf-8")
    done = orchestrator("train", cwd=folder)
    said = "no line says what 'verdict: ann + bob' costs (cost_usd); say it, as of others; 0 if nothing"
    assert (done.returncode, done.stderr.splitlines()[-1].partition("grades.jsonl: ")[2]) == (2, said)
