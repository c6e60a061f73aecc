"""`--cost-quality` of `ask` and `route`: a place on the learned frontier, here or at a service."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from anyio import to_thread

from orchestrator.testing import ScriptedExpert
from tests.cli.test_mapping_verb import CONFIG, write_grades
from tests.cli.test_verbs import Done, orchestrator
from tests.learning import learned_mapping
from tests.service.serving import served

SAID = "'cost_quality' must be a number from 0 (cheapest) to 1 (best)."


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a mapping that was learned: sums are for `dear`, which costs more than `cheap`."""
    folder = tmp_path_factory.mktemp("frontier")
    (folder / "experts.yaml").write_text(CONFIG + "routing: {max_latency_ms: 30000}\n", encoding="utf-8")
    write_grades(folder / "grades.jsonl")
    done = orchestrator("train", "--scores", "grades.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("options", "expert", "place"),
    [(["--cost-quality", "0"], "cheap", 0.0), (["--cost-quality", "1"], "dear", 1.0), ([], "dear", 1.0)],
)
def test_route_shows_the_plan_of_that_place(learned: Path, options: list[str], expert: str, place: float) -> None:
    """Specified: 0 is the cheapest, 1 the best, as without the option."""
    done = orchestrator("route", "add one and two", "--json", *options, cwd=learned)
    choose = json.loads(done.stdout)["choose"]
    assert (choose["experts"][0], choose["cost_quality"]) == (expert, place)


def test_the_tree_says_which_place_was_asked_for(learned: Path) -> None:
    """In the words of the decision."""
    done = orchestrator("route", "add one and two", "--cost-quality", "0", cwd=learned)
    assert "learned plan, at cost_quality 0" in " ".join(done.stdout.split())


def test_ask_asks_the_experts_of_that_place(learned: Path) -> None:
    """The experts here are dead, so what is to be seen is whom it tried first."""
    for place, expert in (("0", "cheap"), ("1", "dear")):
        done = orchestrator("ask", "add one and two", "--cost-quality", place, "--json", cwd=learned)
        assert json.loads(done.stdout)["decision"]["attempts"][0]["expert"] == expert


@pytest.mark.parametrize("verb", ["ask", "route"])
@pytest.mark.parametrize("value", ["-0.1", "1.01", "nan", "inf", "cheap", ""])
def test_anything_but_a_share_is_refused(tmp_path: Path, verb: str, value: str) -> None:
    """Specified: exit status 2, before the configuration is read, in the words of the REST service."""
    done = orchestrator(verb, "add one and two", "--cost-quality", value, cwd=tmp_path)
    assert done.returncode == 2
    assert "--cost-quality" in done.stderr
    assert SAID in " ".join(done.stderr.replace("│", " ").split())


@asynccontextmanager
async def service() -> AsyncIterator[httpx.AsyncClient]:
    """A real service with a learned mapping."""
    experts = ScriptedExpert("cheap", "about 40"), ScriptedExpert("dear", "42")
    categories = {"sums": ["cheap"], "verses": ["cheap"], "general": ["cheap"]}
    async with served(*experts, categories=categories, learned=learned_mapping()) as client:
        yield client


@pytest.mark.anyio
async def test_a_service_is_sent_it_with_the_query(tmp_path: Path) -> None:
    """Specified: with --url too; without the option the service decides."""
    async with service() as client:

        def run(*arguments: str) -> Done:
            return orchestrator(*arguments, "--json", "--url", str(client.base_url), cwd=tmp_path)

        routed = await to_thread.run_sync(run, "route", "sums", "--cost-quality", "0")
        cheap = await to_thread.run_sync(run, "ask", "sums", "--cost-quality", "0")
        best = await to_thread.run_sync(run, "ask", "sums")
    assert json.loads(routed.stdout)["choose"]["experts"][0] == "cheap"
    assert [json.loads(done.stdout)["answer"] for done in (cheap, best)] == ["about 40", "42"]
    assert json.loads(cheap.stdout)["decision"]["choose"]["cost_quality"] == 0
