"""`orchestrator simulate` as a user runs it."""

import json
import random
from pathlib import Path

import pytest
from test_verbs import orchestrator

CONFIG = """\
version: 1
categories:
  code: {description: code, examples: [fix this, a bug, code it], experts: [coder]}
  data: {description: data, examples: [join tables, a query, count rows], experts: [sql]}
  law: {description: law, examples: [the statute, a clause, is it legal], experts: [statutes]}
  general: {description: the rest, experts: [generalist]}
general: general
experts:
  generalist: {kind: vllm, model: g, replicas: [http://127.0.0.1:1], active_params_b: 8}
  coder: {kind: vllm, model: c, replicas: [http://127.0.0.1:2], active_params_b: 7}
  sql: {kind: vllm, base: coder, adapter: sql}
  reader: {kind: vllm, model: r, replicas: [http://127.0.0.1:3], active_params_b: 3}
  statutes: {kind: retriever, corpus: corpus.jsonl, embedders: [bm25], reader: reader}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Azure's form of a trace of 400 requests, one of ours, and a configuration."""
    chance = random.Random(0)  # noqa: S311 - a simulation, no secret
    rows = [
        f"2023-11-16 18:{number // 60:02}:{number % 60:02}.0000000,{chance.randrange(2000)},{chance.randrange(300)}"
        for number in range(400)
    ]
    (tmp_path / "azure.csv").write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]), encoding="utf-8")
    own = [
        json.dumps({"at_s": number, "category": chance.choice(["code", "data", "general"]), "session": number // 4})
        for number in range(100)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(own), encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text('{"id": "1", "title": "t", "text": "x"}\n', encoding="utf-8")
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def test_every_policy_has_a_line_at_every_capacity(folder: Path) -> None:
    """In one table that a pipe does not cut, with the knees and the comparison with the bound below."""
    done = orchestrator("simulate", "azure.csv", "--experts", "20", "--capacities", "64GB,135GB", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    names = ["lru", "lfu", "usage", "dependency", "belady"]
    assert [word for row in rows for word in row if word in names][: 2 * len(names)] == names * 2
    assert "…" not in done.stdout
    assert "of Belady's hits" in done.stdout
    assert "of 320 requests after the warm-up" in done.stdout


def test_json_has_every_figure_and_is_the_same_each_time(folder: Path) -> None:
    """Seeded: two runs agree to the last digit."""
    call = ("simulate", "azure.csv", "--experts", "20", "--policy", "lru", "--policy", "belady", "--awake", "64GB")
    first, second = (orchestrator(*call, "--json", cwd=folder) for _ in range(2))
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    assert [cell["policy"] for cell in found["cells"]] == ["lru", "belady"]
    assert {"hit_ratio", "switch_share", "p50_s", "p95_s", "evictions", "moved_bytes"} <= set(
        found["cells"][0]["in_time"]
    )


def test_a_configuration_gives_experts_bases_and_the_pinned(folder: Path) -> None:
    """Coder, its adapter and the general expert are there; 14 + 16 + 0.1 GB hold them all, so nothing is evicted."""
    done = orchestrator("simulate", "own.jsonl", "-c", "experts.yaml", "--awake", "31GB", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert all(cell["in_time"]["evictions"]["awake"] == 0 for cell in json.loads(done.stdout)["cells"])
    small = orchestrator("simulate", "own.jsonl", "-c", "experts.yaml", "--awake", "20GB", cwd=folder)
    assert small.returncode == 2
    assert small.stderr.strip().endswith("20.0 GB do not hold sql beside generalist: 30.1 GB are needed")
    assert orchestrator("simulate", "azure.csv", "-c", "experts.yaml", "--awake", "34GB", cwd=folder).returncode == 0


def test_plots_are_drawn_in_three_formats(folder: Path) -> None:
    """Where the tests run, matplotlib is installed."""
    for name in ("curves.png", "curves.svg", "curves.html"):
        call = ("simulate", "azure.csv", "--experts", "20", "--policy", "lru", "--plot", name)
        assert orchestrator(*call, cwd=folder).returncode == 0
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "curves.svg").read_text(encoding="utf-8")
    assert "data:image/svg+xml;base64," in (folder / "curves.html").read_text(encoding="utf-8")


def test_a_plot_without_matplotlib_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work and not after it."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    done = orchestrator("simulate", "azure.csv", "--plot", "x.png", cwd=folder)
    assert done.returncode == 2
    assert "pip install expert-orchestrator[eval]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a trace, or --preset"),
        (["azure.csv", "--preset", "sn40l"], "name a trace, or --preset"),
        (["azure.csv", "--awake", "64XB"], "expected a size such as 64GB"),
        (["azure.csv", "--plot", "x.gif"], "expected a file name that ends in"),
        (["missing.csv"], "cannot be read"),
        (["own.jsonl", "-c", "experts.yaml", "--pin", "nobody"], "'nobody' is no expert"),
        (["own.jsonl", "--awake", "1GB"], "do not hold"),
    ],
)
def test_bad_input_is_named(folder: Path, arguments: list[str], message: str) -> None:
    """Exit status 2, no stack trace."""
    done = orchestrator("simulate", *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
