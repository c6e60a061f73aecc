"""The documents are true: what they list is what there is, and what they show runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml
from pydantic import BaseModel

from eval.commands import app
from eval.datasets import Draft, Outcome, Passage, Record, ToolSpec
from eval.datasets.catalogue import READERS, open_dataset
from eval.measures import MEASURES
from orchestrator.cli.app import build
from orchestrator.config import load
from orchestrator.config.reference import key_table
from orchestrator.service.routes import router

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
SUITES = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_readme_has_every_key_of_the_configuration() -> None:
    """The table is made from the settings (`python -m orchestrator.config`)."""
    shown = README.partition("keeps it true -->\n")[2].partition("\n<!-- /keys -->")[0]
    assert shown == key_table()


def test_the_readme_has_every_verb_and_every_route() -> None:
    """Nothing that can be called is left out."""
    verbs = set(typer.main.get_command(build()).commands)  # type: ignore[attr-defined]
    routes = {route.path.partition("{")[0].rstrip("/") for route in router.routes}  # type: ignore[attr-defined]
    assert {verb for verb in verbs if f"`orchestrator {verb}" not in README} == set()
    assert {route for route in routes if route not in README} == set()


def test_the_configuration_in_the_readme_loads(tmp_path: Path) -> None:
    """As it stands, with the variable that it names."""
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my.yaml").write_text(block, encoding="utf-8")
    loaded = load(tmp_path / "my.yaml", environment={"CODER_KEY": "k"})
    assert list(loaded.config.experts) == ["generalist", "coder", "sql"]


def test_the_example_loads_without_notes() -> None:
    """The embedded default asks for nothing that this version does not do."""
    assert load(ROOT / "experts.yaml", environment={}).notes == ()


def test_the_example_is_as_large_as_it_says() -> None:
    """At least 10 categories with 25 queries each, 300 passages on two subjects, all distinct."""
    config = load(ROOT / "experts.yaml", environment={}).config
    rows = [yaml.safe_load(line) for line in (ROOT / "example/queries.jsonl").read_text(encoding="utf-8").splitlines()]
    held_out = (ROOT / "example/queries_held_out.jsonl").read_text(encoding="utf-8").splitlines()
    counts = {name: sum(row["category"] == name for row in rows) for name in config.categories}
    corpora = [path.read_text(encoding="utf-8").splitlines() for path in sorted((ROOT / "example/corpus").iterdir())]
    queries = [row["query"].casefold() for row in rows] + [
        yaml.safe_load(line)["query"].casefold() for line in held_out
    ]
    assert len(counts) >= 10
    assert min(counts.values()) >= 25
    assert len(set(queries)) == len(queries)
    assert len(corpora) >= 2
    assert sum(map(len, corpora)) >= 300


def test_the_evaluation_page_has_every_column_of_a_record() -> None:
    """With those of outcomes, drafts, passages and tools, under the name they have in a file."""
    table = EVALUATION.partition("<!-- record:")[2].partition("<!-- /record -->")[0]
    nested: dict[str, tuple[str, type[BaseModel]]] = {
        "outcomes": ("outcomes.<expert>", Outcome),
        "drafts": ("drafts.<expert>", Draft),
        "passages": ("passages[]", Passage),
        "tools": ("tools[]", ToolSpec),
    }
    columns = set(Record.model_fields) - set(nested) - {"labels"} | {"labels.<annotator>"}
    columns |= {f"{stem}.{field}" for stem, model in nested.values() for field in model.model_fields}
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == columns


def test_the_records_in_the_evaluation_page_are_records(tmp_path: Path) -> None:
    """Whoever copies one gets no error for it."""
    (block,) = re.findall(r"```json\n(.*?)```", EVALUATION, re.DOTALL)
    (tmp_path / "own.jsonl").write_text(block, encoding="utf-8")
    assert len(open_dataset(str(tmp_path / "own.jsonl")).records) == len(block.splitlines())


def test_the_evaluation_page_has_every_reader() -> None:
    """By the name that stands before the colon."""
    table = EVALUATION.partition("<!-- readers:")[2].partition("<!-- /readers -->")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == set(READERS)


def test_the_evaluation_page_has_every_figure_as_it_is_defined() -> None:
    """The same meaning and direction as in reports and comparisons."""
    rows = re.findall(r"^\| `([a-z0-9_]+)[^`]*` \| (higher|lower|neither) \| (.*) \|$", EVALUATION, re.MULTILINE)
    shown = {(name, better, meaning) for name, better, meaning in rows}
    assert shown == {(name, found.better, found.meaning) for name, found in MEASURES.items()}


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_the_evaluation_page_has_every_option_of_the_suite(suite: str) -> None:
    """In the suite's own section, or in the one on what they have in common."""
    common = EVALUATION.partition("## Common to the suites")[2].partition("\n## ")[0]
    section = re.split(r"\n###? ", EVALUATION.partition(f"# {suite}\n")[2])[0]
    options = {option for param in SUITES[suite].params for option in param.opts if option.startswith("--")}
    assert {option for option in options - {"--help"} if option not in section + common} == set()


def test_the_commands_in_the_evaluation_page_can_be_called() -> None:
    """Every option is one, every value is of its kind, and every file of the repository is there."""
    lines = re.findall(r"^\$ orchestrator eval (.*)$", EVALUATION, re.MULTILINE)
    commands = [shlex.split(line, comments=True) for line in lines]
    assert {name for name, *_ in commands} == set(SUITES)
    for name, *arguments in commands:
        SUITES[name].make_context(name, list(arguments))
        assert [word for word in arguments if word.startswith("example/") and not (ROOT / word).exists()] == []


def test_the_example_records_can_be_read() -> None:
    """All that lies in example/eval."""
    assert all(open_dataset(str(path)).records for path in (ROOT / "example/eval").iterdir())


def test_every_complaint_has_a_test_that_is_there() -> None:
    """Twenty of them; each names a test, or a file of them."""
    text = (ROOT / "docs" / "complaints.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?` \|$", text, re.MULTILINE)
    assert len(named) == 20
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8") if name else (ROOT / file).is_file(), file
