"""`orchestrator eval categories` as a user runs it: bad input ends with its place and exit status 2."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eval.commands import app
from eval.findings import read_findings
from orchestrator.testing import WordEmbedder
from routers import artifact
from routers.errors import WeightsError
from routers.examples import Example
from routers.train import train

CONFIG = """\
version: 1
embedder: words
categories:
  sums: {description: sums, examples: [add one and two, sum these], experts: [tool]}
  tales: {description: stories, examples: [tell a tale, once upon a time], experts: [tool]}
  general: {description: the rest, experts: [tool]}
general: general
experts:
  tool: {kind: mcp, server: {command: no-such-program}, tool: t}
"""

QUERIES = {
    "sums": ["add one and two", "sum these numbers", "add seven", "the sum of all", "add it up", "sum of one and two"],
    "tales": ["tell a tale", "once upon a time", "tell me of dragons", "a tale of old", "tell it", "a time of dragons"],
}
LINES: list[dict[str, object]] = [
    {"id": f"{name}-{n}", "query": text, "category": name} for name in QUERIES for n, text in enumerate(QUERIES[name])
]


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a folder of its own, with a store of its own; the one embedder that can be loaded needs no weights."""

    def load(name: str, *, folder: Path, **_: object) -> WordEmbedder:
        if name not in {"words", "minilm"}:
            raise WeightsError(f"there is no model at {folder / name}")
        return WordEmbedder(128)

    monkeypatch.setattr("routers.embedding.load.load_embedder", load)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["categories", *arguments])


def written(lines: Sequence[Mapping[str, object]], name: str = "data.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return name


@pytest.fixture
def router(tmp_path: Path) -> Path:
    """An artifact where the configuration has it, and the configuration."""
    examples = [Example(text, name) for name, texts in QUERIES.items() for text in texts]
    folder = tmp_path / "artifacts" / "router"
    artifact.save(train(examples, general="general", embedder=WordEmbedder(128)), folder, embedder="words")
    (tmp_path / "experts.yaml").write_text(CONFIG)
    return folder


def test_the_configurations_router_is_judged_by_default(router: Path) -> None:
    """Specified: as the README has it, on a file of queries without ids; the same as naming its folder."""
    path = written([{"query": line["query"], "category": line["category"]} for line in LINES])
    assert ran(path, "--json", "a.json").exit_code == 0
    assert ran(path, "--router", str(router), "--json", "b.json").exit_code == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    found = read_findings(Path("a.json"))
    assert found.run["settings"]["router"] == artifact.read_manifest(router).sha256
    assert list(found.queries.ids[:2]) == ["data.jsonl:1", "data.jsonl:2"]


def test_folds_write_a_report_and_keep_vectors(tmp_path: Path) -> None:
    """From the command line to files: figures, HTML and Markdown; vectors are in the cache for the next run."""
    result = ran(written(LINES), "--folds", "2", "--perturb", "4", "--json", "run.json", "--report", "out")
    assert result.exit_code == 0, result.output
    assert read_findings(Path("run.json")).run["settings"]["folds"] == 2
    assert {"report.html", "report.md"} <= {path.name for path in Path("out").iterdir()}
    assert list((tmp_path / "cache").rglob("*.sqlite"))


def test_train_alone_goes_by_the_sources_own_split() -> None:
    """Specified: with the same file as --test or as DATA it is the same."""
    path = written([{**line, "split": "test" if number % 3 == 0 else "train"} for number, line in enumerate(LINES)])
    for number, more in enumerate(([], ["--test", path], [path])):
        result = ran("--train", path, *more, "--json", f"{number}.json")
        assert result.exit_code == 0, result.output
    assert Path("0.json").read_bytes() == Path("1.json").read_bytes() == Path("2.json").read_bytes()
    assert len(read_findings(Path("0.json")).queries.ids) == 4


def test_a_test_set_beside_a_training_set() -> None:
    """Specified: --test, or DATA, after --train."""
    train_path, test_path = written(LINES[1:5] + LINES[7:], "train.jsonl"), written(LINES, "test.jsonl")
    for number, asked in enumerate((["--test", test_path], [test_path])):
        assert ran("--train", train_path, *asked, "--json", f"{number}.json").exit_code == 0
    assert Path("0.json").read_bytes() == Path("1.json").read_bytes()
    assert len(read_findings(Path("0.json")).queries.ids) == 3


def wrong_column() -> list[str]:
    return [written([LINES[0], {"id": "x", "query": "add", "kategory": "sums"}]), "--folds", "2"]


def truncated_gzip() -> list[str]:
    whole = gzip.compress("".join(json.dumps(line) + "\n" for line in LINES).encode())
    Path("data.jsonl.gz").write_bytes(whole[:-20])
    return ["data.jsonl.gz", "--folds", "2"]


def duplicate_id() -> list[str]:
    return [written([*LINES, LINES[3]]), "--folds", "2"]


def unknown_category() -> list[str]:
    return [written([*LINES, {"id": "x", "query": "a pot of basil", "category": "plants"}])]


def no_category() -> list[str]:
    return [written([*LINES, {"id": "x", "query": "a pot of basil"}]), "--folds", "2"]


def rare_category() -> list[str]:
    return [written([*LINES, {"id": "x", "query": "a pot of basil", "category": "plants"}]), "--folds", "2"]


def too_few_for_folds() -> list[str]:
    return [written(LINES[:3]), "--folds", "30"]


@pytest.mark.parametrize(
    ("arguments", "place", "said"),
    [
        (wrong_column, "data.jsonl:2: ", "unknown column 'kategory' (did you mean 'category'?)"),
        (truncated_gzip, "data.jsonl.gz:", "broken gzip"),
        (duplicate_id, "data.jsonl:13: ", "duplicate id 'sums-3': it stands already at data.jsonl:4"),
        (unknown_category, "data.jsonl:13: ", "unknown category 'plants'; the router has general, sums, tales"),
        (no_category, "data.jsonl:13: ", "missing column 'category'"),
        (rare_category, "data.jsonl:13: ", "category 'plants' has 0 distinct queries to learn from in one of 2 folds"),
        (too_few_for_folds, "data.jsonl:1: ", "3 queries cannot be split into 30 folds"),
        (lambda: ["nowhere.jsonl"], "nowhere.jsonl: ", "no such file"),
        (lambda: ["mmlu-por:x.jsonl"], "mmlu-por:x.jsonl: ", "did you mean 'mmlu-pro'?"),
        (lambda: [written(LINES), "--folds", "2", "--classifier", "oracle"], "--classifier oracle: ", "known: "),
        (lambda: [written(LINES), "--folds", "2", "--embedder", "./no"], "--embedder ./no: ", "no model"),
        (lambda: [written(LINES), "--router", "here"], "--router here: ", "no trained router"),
        (lambda: [written(LINES), "--router", "here", "--folds", "2"], "--router and --folds", "name one"),
        (lambda: ["--train", written(LINES)], "data.jsonl: ", "its own split needs 'train' and 'test'"),
        (list, "nothing to judge by", "name DATA"),
    ],
)
@pytest.mark.usefixtures("router")
def test_bad_input_ends_with_its_place_and_status_2(arguments: Callable[[], list[str]], place: str, said: str) -> None:
    """Specified: a clear error with the place, exit 2, and no stack trace."""
    result = ran(*arguments())
    assert result.exit_code == 2, result.output
    assert place in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_every_problem_is_told_up_to_twenty() -> None:
    """Specified: then how many more there are."""
    result = ran(written([{"id": f"{n}", "query": "x"} for n in range(25)]), "--folds", "2")
    lines = [line for line in result.stderr.splitlines() if line.startswith(("data.jsonl", "…"))]
    assert (len(lines), lines[-1]) == (21, "… and 5 more")
