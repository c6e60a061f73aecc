"""The suite `judges` over scripted judges whose agreement with gold is known beforehand."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
import yaml
from anyio import to_thread
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset, Draft, Outcome, Record
from eval.datasets.catalogue import open_dataset
from eval.findings import Findings, flat
from eval.metrics import Figure
from eval.report import write_report
from eval.splits import text_folds
from eval.suites.judges import judge_panels
from eval.suites.judges.leanings import Leaning
from eval.suites.judges.weights import fitted_weights
from orchestrator.errors import ExpertFailed
from orchestrator.experts import Capabilities
from orchestrator.fleet.registry import Registry
from orchestrator.testing import Answer, FakeVLLM
from orchestrator.types import ChatRequest, Emit, Usage
from orchestrator.types import Draft as Drafted
from tests.flowing import config_of, flowing

pytestmark = pytest.mark.anyio

CRITERIA = {"right": "is it right", "long": "is it long"}
EXAMPLE = Path(__file__).parents[3] / "example" / "eval" / "judged.jsonl"
Reads = Callable[[str, str], int]
"""(criterion, answer) -> 1 to 5."""


class Reader:
    """A judge that reads the answers it is shown and scores them by a rule, in structured output."""

    capabilities = Capabilities()

    def __init__(self, expert_id: str, reads: Reads) -> None:
        self.id = expert_id
        self._reads = reads
        self.calls = 0

    async def draft(self, request: ChatRequest, emit: Emit) -> Drafted:  # noqa: ARG002 - the contract
        await anyio.lowlevel.checkpoint()
        self.calls += 1
        wanted = request.body["response_format"]["json_schema"]
        answers = [block.partition("]\n")[2].rpartition("\n[")[0] for block in _blocks(request)][1:]
        (key,) = wanted["schema"]["properties"]
        names = wanted["schema"]["properties"][key]["properties"]
        if key == "scores":
            said: dict[str, Any] = {name: self._reads(name, answers[0]) for name in names}
        else:
            said = {name: self._better(name, *answers) for name in names}
        text = json.dumps({key: said})
        return Drafted(expert=self.id, text=text, total_s=0.0, usage=Usage(input_tokens=10, output_tokens=5))

    def _better(self, name: str, first: str, second: str) -> str:
        one, other = self._reads(name, first), self._reads(name, second)
        return "first" if one > other else "second" if one < other else "same"


class Broken(Reader):
    """A judge that always fails."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Drafted:  # noqa: ARG002 - the contract
        raise ExpertFailed(self.id, "out of order")


def _blocks(request: ChatRequest) -> list[str]:
    content: str = request.messages[1]["content"]
    return content.split("\n\n")


def knowing(criterion: str, answer: str) -> int:
    """Right where the answer says so; long by its length; as a whole it goes by length, and errs."""
    if criterion == "right":
        return 5 if "true" in answer else 1
    return min(5, 1 + len(answer) // 10)


def record(
    at: int, *, category: str = "general", true: str = "it is true", false: str = "a long and winding no"
) -> Record:
    return Record(
        id=f"q{at}",
        query=f"query {at}",
        category=category,
        drafts={"a": Draft(text=true), "b": Draft(text=false)},
        outcomes={"a": Outcome(score=1.0), "b": Outcome(score=0.0)},
        source=f"own:{at}",
    )


def quiet(_what: str, _done: int, _total: int) -> None:
    """No bar."""


def panel(*judges: str, **more: Any) -> dict[str, Any]:
    return {"judges": list(judges), "criteria": CRITERIA, **more}


@asynccontextmanager
async def staff(*judges: Reader, **blocks: Any) -> AsyncIterator[Registry]:
    async with flowing(*judges, **blocks) as engine:
        yield engine.registry


async def judged(
    *judges: Reader, records: list[Record], panels: Mapping[str, Any] | None = None, **settings: Any
) -> Findings:
    names = [judge.id for judge in judges]
    blocks: dict[str, Any] = {
        "categories": {"maths": names, "general": names},
        "panels": panels or {"all": panel(*names)},
    }
    data = [Dataset(name="own", records=tuple(records))]
    with anyio.fail_after(20):
        return await judge_panels(
            staff(*judges, **blocks), config_of(names, **blocks), data, progress=quiet, **settings
        )


def figures(findings: Findings) -> dict[str, Figure]:
    return dict(flat(findings.figures))


TWENTY = [record(at) for at in range(20)]


async def test_agreement_is_that_of_the_panel_its_judges_and_its_criteria() -> None:
    """One criterion is always with gold, the other always against it; the one score follows the wrong one."""
    found = figures(await judged(Reader("judge", knowing), records=TWENTY))
    assert found["agreement.criteria.right"].value == 1
    assert found["agreement.criteria.long"].value == 0
    assert found["agreement.one_score"].value == 0
    assert found["agreement.panel"].value == found["agreement.judges.judge"].value == 1  # 1 - .25, both by a half
    assert found["agreement_gain.fitted_over_one_score"].value == 1
    assert found["agreement.panel"].n == 20
    assert found["agreement.panel"].ci95 is not None


async def test_grades_go_with_gold_in_rank() -> None:
    """All answers in one ranking, and each query's own; the one score ranks them the wrong way round."""
    found = figures(await judged(Reader("judge", knowing), records=TWENTY))
    assert (found["correlation.panel"].value, found["tau.panel"].value) == (pytest.approx(1), 1)
    assert (found["correlation.one_score"].value, found["tau.one_score"].value) == (pytest.approx(-1), -1)


async def test_fitted_weights_decide_where_equal_ones_tie() -> None:
    """One criterion is always for gold and one always against it: learned from the other folds."""

    def torn(criterion: str, answer: str) -> int:
        return 5 if (criterion == "right") == ("true" in answer) else 1

    shown = figures(await judged(Reader("judge", torn), records=TWENTY, folds=4))
    assert (shown["agreement.panel"].value, shown["agreement.fitted"].value) == (0.5, 1)
    assert shown["agreement_gain.fitted_over_panel"].value == 0.5


async def test_weights_are_fitted_without_the_fold_that_they_judge() -> None:
    """Two folds in which the opposite criterion is for gold: what the other fold taught is wrong in each."""
    fold = text_folds([one.query for one in TWENTY], folds=2, seed=0)
    records = [
        record(at, true="true" if side else "a long one", false="a long one" if side else "true")
        for at, side in enumerate(fold.tolist())
    ]

    def torn(criterion: str, answer: str) -> int:
        return 5 if (criterion == "right") == (answer == "true") else 1

    shown = figures(await judged(Reader("judge", torn), records=records, folds=2))
    assert (shown["agreement.panel"].value, shown["agreement.fitted"].value) == (0.5, 0)


async def test_each_category_has_its_panel() -> None:
    """A judge is asked of its own categories alone; others go to the panel without categories."""
    one, other = Reader("one", knowing), Reader("other", knowing)
    panels = {"own": panel("one", categories=["maths"]), "rest": panel("other")}
    records = [record(at, category="maths" if at < 4 else "verse") for at in range(12)]
    found = await judged(one, other, records=records, panels=panels, folds=2)
    assert (one.calls, other.calls) == (4 * 2 * 2, 8 * 2 * 2)  # answers, and both ways to ask
    assert (figures(found)["agreement.judges.one"].n, figures(found)["agreement.judges.other"].n) == (4, 8)
    assert found.parts["heat_map"]["rows"] == ["maths", "verse"]


async def test_pairs_are_asked_in_both_orders_and_position_is_told() -> None:
    """A judge that always likes the first has no say, and it shows in `steady`."""

    class First(Reader):
        def _better(self, name: str, first: str, second: str) -> str:  # noqa: ARG002 - it reads nothing
            return "first"

    panels = {"all": panel("sound", "first", by="pairs", weights={"right": 1})}
    found = await judged(Reader("sound", knowing), First("first", knowing), records=TWENTY, panels=panels)
    shown = figures(found)
    assert (shown["steady.sound"].value, shown["steady.first"].value) == (1, 0)
    assert (shown["agreement.judges.sound"].value, shown["agreement.judges.first"].value) == (1, 0.5)
    assert shown["agreement.panel"].value == 1
    assert "correlation.panel" not in shown


async def test_calls_tokens_and_cost_are_counted() -> None:
    """A query: two answers, each judged once by criteria and once as a whole, at 1 and 2 USD a million."""
    shown = figures(await judged(Reader("judge", knowing), records=TWENTY))
    assert (shown["calls.panel"].value, shown["calls.one_score"].value) == (2, 2)
    assert shown["judge_tokens.panel"].value == 30
    assert shown["cost_usd.panel"].value == pytest.approx(40e-6)


async def test_a_broken_judge_is_counted_and_does_not_stop_the_others() -> None:
    """Its share of failures stands with its name; the panel's figures are the others'."""
    shown = figures(await judged(Reader("good", knowing), Broken("broken", knowing), records=TWENTY))
    assert (shown["judge_failures.good"].value, shown["judge_failures.broken"].value) == (0, 1)
    assert shown["agreement.panel"].value == 1
    assert "agreement.judges.broken" not in shown


async def test_without_any_usable_judge_there_are_no_figures() -> None:
    """An error that says why, not a table of nothing."""
    with pytest.raises(DataError, match="no judge said anything"):
        await judged(Broken("broken", knowing), records=TWENTY)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([Record(id="q", query="x", drafts={"a": Draft(text="y")})], "no query has two answers"),
        ([record(0, category="verse")], "own:0: category 'verse' has no panel"),
    ],
)
async def test_data_without_anything_to_judge_is_refused(records: list[Record], told: str) -> None:
    """With its place, before anybody is asked."""
    judge = Reader("judge", knowing)
    with pytest.raises(DataError) as caught:
        await judged(judge, records=records, panels={"own": panel("judge", categories=["general"])})
    assert told in str(caught.value)
    assert judge.calls == 0


async def test_a_second_run_gives_the_same_findings(tmp_path: Path) -> None:
    """Folds, intervals and notes come of the seed; and the report draws them."""
    runs = [await judged(Reader("judge", knowing), records=TWENTY) for _ in range(2)]
    assert runs[0].as_dict() == runs[1].as_dict()
    write_report(runs[0], tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "agreement.criteria.right" in page or "criteria right" in page


def test_fitted_weights_of_a_small_table() -> None:
    """Golden: one criterion for gold in each pair, one against it in each, one that says nothing."""
    leanings = [
        Leaning(
            row=at, panel="p", pair=(0, 1), judges={"j": {"for": 0.5, "against": -0.5, "mute": 0.0}}, one_score=None
        )
        for at in range(50)
    ]
    found = fitted_weights(leanings, ["for", "against", "mute"])
    assert sum(found.values()) == pytest.approx(1)
    assert found["against"] == 0
    assert found["for"] > 0.6
    assert fitted_weights([], ["for", "mute"]) == {"for": 0.5, "mute": 0.5}


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), max_size=12),
)
def test_fitted_weights_are_shares(leans: list[tuple[float, float]]) -> None:
    """Whatever was said: none negative, adding up to 1; criteria that say the same weigh the same."""
    leanings = [
        Leaning(row=0, panel="p", pair=(0, 1), judges={"j": {"a": one, "b": one, "c": other}}, one_score=None)
        for one, other in leans
    ]
    found = fitted_weights(leanings, ["a", "b", "c"])
    assert min(found.values()) >= 0
    assert sum(found.values()) == pytest.approx(1)
    assert found["a"] == pytest.approx(found["b"], abs=1e-3)


def test_the_example_has_pairs_of_different_grade() -> None:
    """Own data: 16 queries of two categories, three answers each."""
    records = open_dataset(str(EXAMPLE)).records
    assert {record.category for record in records} == {"physics", "cooking"}
    assert all(len({one.score for one in record.outcomes.values()}) == 3 for record in records)


@pytest.fixture
def logs() -> Iterator[None]:
    """The command sets up logs for a process of its own; what comes after logs as before."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("logs")
def test_the_command_wants_a_panel(tmp_path: Path) -> None:
    """A configuration without panels: exit status 2, and what to do."""
    config = tmp_path / "experts.yaml"
    config.write_text(
        "version: 1\ncategories: {general: {description: all, experts: [m]}}\ngeneral: general\n"
        "experts: {m: {kind: vllm, model: m, replicas: [http://127.0.0.1:9]}}\n"
    )
    run = CliRunner().invoke(app, ["judges", str(EXAMPLE), "--config", str(config)])
    assert run.exit_code == 2
    assert "has no panels" in run.output


@pytest.mark.usefixtures("logs")
async def test_the_command_asks_servers_and_writes_figures_and_a_report(tmp_path: Path) -> None:
    """From a file of configuration to JSON and a page; a judge that says the same of all answers has no order."""
    async with FakeVLLM(models=("m",)) as server:
        server.answer = Answer(pieces=("no JSON, so the schema's plainest",))
        blocks = {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["m"]}},
            "general": "general",
            "experts": {"m": {"kind": "vllm", "model": "m", "replicas": [server.url]}},
            "panels": {"all": panel("m")},
        }
        (tmp_path / "panels.yaml").write_text(yaml.safe_dump(blocks), encoding="utf-8")
        options = ["--config", str(tmp_path / "panels.yaml"), "--limit", "10", "--folds", "2", "--seed", "0"]
        files = ["--json", str(tmp_path / "judges.json"), "--report", str(tmp_path / "report")]
        with anyio.fail_after(60):
            run = await to_thread.run_sync(CliRunner().invoke, app, ["judges", str(EXAMPLE), *options, *files])
    assert run.exit_code == 0, run.output
    written = json.loads((tmp_path / "judges.json").read_text(encoding="utf-8"))
    assert written["agreement"]["panel"]["value"] == 0.5
    assert written["judge_failures"]["m"]["value"] == 0
    assert written["run"]["settings"]["limit"] == 10
    assert "panels.all.weights fitted on all of this data" in run.output
    assert (tmp_path / "report" / "report.html").stat().st_size > 0
