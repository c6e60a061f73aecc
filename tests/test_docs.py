"""The documents are true: what they list is what there is, and what they show runs."""

import re
from pathlib import Path

import typer.main
import yaml

from orchestrator.cli.app import build
from orchestrator.config import load
from orchestrator.config.reference import key_table
from orchestrator.service.routes import router

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
