"""The command line as a user runs it: output, exit statuses, no stack traces."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.cli import main

CONFIG = """\
version: 1
categories:
  sums: {description: sums, examples: [add one and two, sum these, plus and minus, total of all], experts: [tool]}
  tales: {description: stories, examples: [tell a tale, once upon a time, a story, write a fable], experts: [tool]}
  general: {description: the rest, experts: [tool]}
general: general
experts:
  tool: {kind: mcp, server: {command: no-such-program}, tool: t}
"""


@dataclass(frozen=True)
class Done:
    """How a verb ended."""

    returncode: int
    stdout: str
    stderr: str


def orchestrator(*arguments: str | Path, cwd: Path) -> Done:
    """Run a verb in this interpreter, as the installed script would."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.setenv("COLUMNS", "120")
        patch.setattr(sys, "argv", ["orchestrator", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
    return Done(status, out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small right configuration."""
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a trained router."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    done = orchestrator("train", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_help_names_every_verb(folder: Path) -> None:
    """And says in a line what each does."""
    shown = orchestrator("--help", cwd=folder)
    verbs = "serve ask route train mapping check experts schema mcp prepare usage eval"
    for verb in verbs.split():
        assert f" {verb} " in shown.stdout
    assert shown.returncode == 0


def test_check_accepts_a_right_configuration(folder: Path) -> None:
    """With a line that counts what there is."""
    done = orchestrator("check", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "experts.yaml: ok (3 categories, 1 experts)\n")


def test_check_exits_2_with_every_problem_and_its_place(folder: Path) -> None:
    """Several problems in one run; nothing but the problems."""
    broken = CONFIG.replace("tool: t}", "tol: t}").replace("general: general", "general: genral")
    (folder / "experts.yaml").write_text(broken, encoding="utf-8")
    done = orchestrator("check", cwd=folder)
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert [line.split(": ")[:2] for line in lines] == [
        ["experts.yaml:6:10", "general"],
        ["experts.yaml:8:57", "experts.tool.tol"],
    ]
    assert "did you mean 'tool'" in lines[1]
    assert "Traceback" not in done.stderr


def test_check_json_is_for_scripts(folder: Path) -> None:
    """The same, to be parsed; the exit status stays."""
    (folder / "experts.yaml").write_text("version: 2\n", encoding="utf-8")
    done = orchestrator("check", "--json", cwd=folder)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], len(report["problems"]) >= 3) == (2, False, True)


def test_schema_prints_json_schema(folder: Path) -> None:
    """With the kinds that are installed."""
    schema = json.loads(orchestrator("schema", cwd=folder).stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"version", "categories", "general", "experts"} <= set(schema["properties"])


def test_a_missing_file_is_one_line(folder: Path) -> None:
    """No stack trace for a mistyped path."""
    done = orchestrator("serve", "nowhere.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere.yaml" in done.stderr


def test_serving_without_a_router_says_what_to_do(folder: Path) -> None:
    """Exit status 1 and the next command."""
    done = orchestrator("serve", "--port", "0", cwd=folder)
    assert done.returncode == 1
    assert "orchestrator train" in done.stderr
    assert "Traceback" not in done.stderr


def test_serving_to_the_world_needs_keys(folder: Path) -> None:
    """Without keys the service keeps to loopback."""
    done = orchestrator("serve", "--host", "0.0.0.0", "--port", "0", cwd=folder)  # noqa: S104 - it is refused
    assert done.returncode == 1
    assert "without serve.keys" in done.stderr


def test_training_reports_what_it_knows(trained: Path) -> None:
    """JSON on request; the artifact is where the configuration wants it."""
    done = orchestrator("train", "--json", cwd=trained)
    report = json.loads(done.stdout)
    assert (report["examples"], report["folds"], report["seed"]) == (8, 4, 0)
    assert sorted(path.name for path in (trained / "artifacts/router").iterdir()) == [
        "classifier.safetensors",
        "lessons.json",
        "manifest.json",
    ]


def test_route_explains_as_a_tree_and_as_json(trained: Path) -> None:
    """Categories with their probabilities, gate, plan; no expert is started."""
    tree = orchestrator("route", "please add one and two", cwd=trained)
    decision = json.loads(orchestrator("route", "please add one and two", "--json", cwd=trained).stdout)
    assert tree.returncode == 0
    assert "categorize  sums" in tree.stdout
    assert decision["choose"]["experts"] == ["tool"]
    assert decision["attempts"] == []


def test_route_shows_what_decided_where_it_is_asked_to(trained: Path) -> None:
    """A table that adds up; without the option there is none."""
    asked = orchestrator("route", "please add one and two", "--explain", cwd=trained)
    decision = json.loads(orchestrator("route", "please add one and two", "--explain", "--json", cwd=trained).stdout)
    plain = orchestrator("route", "please add one and two", cwd=trained)
    found = decision["explanation"]
    assert "because     sums before tales by " in asked.stdout
    assert f"{found['top_score'] - found['runner_up_score']:+.3f}" in asked.stdout
    assert "because" not in plain.stdout


def test_asking_a_dead_expert_fails_with_its_reason(trained: Path) -> None:
    """Exit status 1; the server's program that does not exist is named; nothing hangs."""
    done = orchestrator("ask", "add one and two", cwd=trained)
    assert done.returncode == 1
    assert "no-such-program" in done.stderr
    assert "Traceback" not in done.stderr


def test_experts_shows_who_is_down_and_why(trained: Path) -> None:
    """Exit status 1 when one is not up."""
    done = orchestrator("experts", "--json", cwd=trained)
    shown = json.loads(done.stdout)
    assert (done.returncode, shown[0]["id"], shown[0]["state"]) == (1, "tool", "down")
    assert "no-such-program" in shown[0]["reason"]


def test_eval_judges_categories(trained: Path) -> None:
    """Accuracy with its interval and the confusion, in JSON on stdout; queries need no ids."""
    data = trained / "data.jsonl"
    rows = [("sum these numbers", "sums"), ("once upon a time", "tales"), ("a story please", "tales")]
    data.write_text("".join(json.dumps({"query": q, "category": c}) + "\n" for q, c in rows), encoding="utf-8")
    report = json.loads(orchestrator("eval", "categories", data, "--json", "-", cwd=trained).stdout)
    assert report["top_accuracy"]["n"] == 3
    low, high = report["top_accuracy"]["ci95"]
    assert 0 <= low <= report["top_accuracy"]["value"] <= high <= 1
    assert sum(sum(row.values()) for row in report["confusion"].values()) == 3


def test_malformed_data_is_reported_by_line(trained: Path) -> None:
    """Every bad line with file and number, exit status 2."""
    data = trained / "bad.jsonl"
    data.write_text('{"query": "x", "category": "sums"}\nnonsense\n{"query": 5}\n', encoding="utf-8")
    done = orchestrator("eval", "categories", data, cwd=trained)
    assert done.returncode == 2
    assert f"{data}:2" in done.stderr
    assert f"{data}:3" in done.stderr


def test_asking_a_service_that_is_not_there_is_one_line(folder: Path) -> None:
    """No stack trace for a refused connection."""
    done = orchestrator("ask", "hi", "--url", "http://127.0.0.1:9", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: http://127.0.0.1:9: ConnectError")


@pytest.mark.parametrize(("rows", "said"), [("", "is empty"), ('{"query": "x", "category": "verse"}\n', "'verse'")])
def test_data_that_says_nothing_of_the_router_is_refused(trained: Path, rows: str, said: str) -> None:
    """An empty file, or categories that the router does not have: exit status 2 and the place."""
    data = trained / "other.jsonl"
    data.write_text(rows, encoding="utf-8")
    done = orchestrator("eval", "categories", data, cwd=trained)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_port_that_cannot_be_is_refused(folder: Path) -> None:
    """Before anything starts."""
    assert orchestrator("serve", "--port", "99999", cwd=folder).returncode == 2


def test_a_manifest_nested_without_end_is_refused(trained: Path) -> None:
    """As damaged, without a stack trace."""
    manifest = trained / "artifacts/router/manifest.json"
    kept = manifest.read_bytes()
    manifest.write_bytes(b"[" * 100_000)
    try:
        done = orchestrator("route", "sum", cwd=trained)
    finally:
        manifest.write_bytes(kept)
    assert done.returncode == 1
    assert "manifest.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_prepare_indexes_the_corpora_and_experts_come_up_side_by_side(folder: Path) -> None:
    """In fresh interpreters: kinds that load torch and transformers from several threads at once do come up."""
    (folder / "words.jsonl").write_text(
        '{"id": "1", "title": "Moon", "text": "The moon is round."}\n', encoding="utf-8"
    )
    config = CONFIG.replace(
        "  tool: {kind: mcp, server: {command: no-such-program}, tool: t}",
        "  tool: {kind: local, model: smollm2-135m}\n  shelf: {kind: retriever, corpus: words.jsonl}",
    )
    (folder / "experts.yaml").write_text(config, encoding="utf-8")
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "orchestrator", *verb],
            cwd=folder,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for verb in (["prepare"], ["experts", "--json"])
    ]
    assert "words.jsonl: 1 passages of 1 documents; minilm: 1 embedded now" in outputs[0]
    assert [(shown["id"], shown["state"]) for shown in json.loads(outputs[1])] == [("tool", "up"), ("shelf", "up")]
