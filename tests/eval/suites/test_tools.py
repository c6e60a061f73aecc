"""The suite `tools` on requests to a small office, and on the real sets where they are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset, Record, ToolSpec
from eval.datasets.catalogue import open_dataset
from eval.findings import Findings, flat, read_findings
from eval.metrics import Figure
from eval.suites.tools import judge_tools

SHARED = Path(__file__).parents[4] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data (../shared/data) is not here")

CATALOGUE = tuple(
    ToolSpec(name=name, description=description)
    for name, description in {
        "weather": "current conditions and rain",
        "currency": "exchange rates between euro and dollar",
        "calendar": "meetings and appointments of the week",
        "mail": "send a letter to a colleague",
    }.items()
)
NO_TOOLS = "no record says which tools are right (right_tools); read a set of tools, such as metatool, bfcl or livemcp"
ASKED: tuple[tuple[str, tuple[str, ...] | None], ...] = (
    ("rain and conditions", ("weather",)),
    ("euro to dollar exchange", ("currency",)),
    ("send a letter about the meetings", ("mail", "calendar")),
    ("what is my umbrella doing", ("calendar",)),
    ("xylophone", ()),
    ("whatever", None),
)


def office(asked: tuple[tuple[str, tuple[str, ...] | None], ...] = ASKED) -> Dataset:
    """Requests that choose from one catalogue."""
    records = tuple(
        Record(id=f"q{number}", query=query, right_tools=right, source=f"office:{number}")
        for number, (query, right) in enumerate(asked, start=1)
    )
    return Dataset(name="office", records=records, catalogue=CATALOGUE)


def silent(_what: str, _done: int, _total: int) -> None:
    """No bar."""


def judged(*datasets: Dataset, **settings: Any) -> Findings:
    return judge_tools(datasets, embedder=None, progress=silent, **settings)


def figures(findings: Findings) -> dict[str, Figure]:
    return dict(flat(findings.figures))


def test_each_figure_is_over_the_queries_that_enter_it() -> None:
    """Issue 3: of several right tools any may come first, and recall5 is their share; all four tools are in five."""
    found = judged(office())
    figure = figures(found)
    assert (figure["recall1"].value, figure["recall1"].n) == (0.75, 4)
    assert (figure["recall5"].value, figure["recall5"].n) == (1.0, 4)
    assert figure["mean_reciprocal_rank"].value > 0.75
    assert (figure["abstain_recall"].value, figure["abstain_recall"].n) == (1.0, 1)
    # The umbrella, too, is like no tool: one of two abstentions is right.
    assert (figure["abstain_precision"].value, figure["abstain_precision"].n) == (0.5, 2)
    assert (figure["abstain_kept"].value, figure["abstain_kept"].n) == (0.75, 4)
    assert figure["withheld.abstain_recall"].n == 4
    assert any("1 queries are left out" in note for note in found.notes)


def test_recall5_is_the_share_of_the_right_tools_among_the_first_five() -> None:
    """Two right tools, one of which is sixth: a half."""
    words = ("alpha", "beta", "gamma", "delta", "epsilon", "omega")
    tools = tuple(ToolSpec(name=word, description=word) for word in words)
    query = "alpha beta gamma delta epsilon"
    record = Record(id="q", query=query, tools=tools, right_tools=("omega", "beta"), source="x:1")
    figure = figures(judged(Dataset(name="x", records=(record,))))
    assert figure["recall5"].value == 0.5


def test_values_of_queries_are_what_the_figures_are_means_of() -> None:
    """What `eval compare` pairs: one value a query, NaN where it does not enter; queries nobody knows have no row."""
    found = judged(office())
    assert found.queries.ids == ("q1", "q2", "q3", "q4", "q5")
    figure = figures(found)
    for name, values in found.queries.values.items():
        assert np.nanmean(values) == pytest.approx(figure[name].value), name
    assert np.isnan(found.queries.values["recall1"][4])


def test_abstaining_is_undefined_where_every_query_has_a_tool() -> None:
    """Undefined is no 0; what is known of abstaining is from tools that were taken away."""
    found = judged(office(ASKED[:3]))
    figure = figures(found)
    assert (figure["abstain_precision"].n, figure["abstain_recall"].n) == (0, 0)
    assert np.isnan(figure["abstain_recall"].value)
    assert figure["withheld.abstain_recall"].n == 3
    assert any("every query has a right tool" in note for note in found.notes)


def test_records_choose_from_their_own_tools() -> None:
    """As in BFCL: the same name may be another tool in the next record; nothing is left when its only tool is gone."""
    here = ToolSpec(name="find", description="books in the library")
    there = ToolSpec(name="find", description="flights to Rome")
    other = ToolSpec(name="pay", description="bills")
    records = (
        Record(id="a", query="books in the library", tools=(other, here), right_tools=("find",), source="x:1"),
        Record(id="b", query="flights to Rome", tools=(other, there), right_tools=("find",), source="x:2"),
        Record(id="c", query="flights to Rome", tools=(there,), right_tools=("find",), source="x:3"),
    )
    figure = figures(judged(Dataset(name="x", records=records)))
    assert (figure["recall1"].value, figure["recall1"].n) == (1.0, 3)
    assert figure["withheld.abstain_recall"].n == 2


def test_a_name_that_several_servers_share_is_ranked_once() -> None:
    """As in LiveMCPBench: a tool is right by its name, and a namesake takes no place of the five."""
    tools = tuple(ToolSpec(name=f"t{number % 2}", description=f"search {number}") for number in range(12))
    record = Record(id="a", query="search", right_tools=("t0", "t1"), source="x:1")
    figure = figures(judged(Dataset(name="x", records=(record,), catalogue=tools)))
    assert figure["recall5"].value == 1.0


def test_examples_of_the_other_folds_are_learned_from() -> None:
    """Words that no description has are known from examples, and without them they are not."""
    asked = tuple((f"umbrella number {n}", ("weather",)) for n in range(12))
    asked += tuple((f"wallet number {n}", ("currency",)) for n in range(12))
    described = figures(judged(office(asked)))["recall1"].value
    learned = figures(judged(office(asked), folds=3))["recall1"].value
    assert described < 0.6
    assert learned > 0.9


def test_what_another_set_teaches_serves_the_judged_one() -> None:
    """--train: tools are the same if they say the same; a set with other tools teaches nothing, and that is said."""
    train = office(tuple((f"umbrella {n}", ("weather",)) for n in range(6)))
    test = office((("umbrella of mine", ("weather",)), ("send a letter", ("mail",))))
    assert figures(judged(test, train=[train]))["recall1"].value == 1.0
    same = judged(test, train=[office((("Umbrella  of mine", ("mail",)),))])
    assert "1 queries to learn from are left out: they stand among those to judge by too" in same.notes
    strange = replace(train, catalogue=tuple(tool.model_copy(update={"description": "?"}) for tool in CATALOGUE))
    found = judged(test, train=[strange])
    assert any("taught nothing" in note for note in found.notes)


def test_a_limit_judges_some_and_learns_from_all() -> None:
    """The same seed draws the same queries."""
    asked = tuple((f"umbrella number {n}", ("weather",)) for n in range(30))
    found = judged(office(asked), folds=3, limit=7, seed=5)
    assert figures(found)["recall1"].n == 7
    assert found.queries.ids == judged(office(asked), limit=7, seed=5).queries.ids
    assert found.queries.ids != judged(office(asked), limit=7, seed=6).queries.ids


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    """Issue 3: byte for byte; and what was written can be read."""
    for name in ("a.json", "b.json"):
        judged(office(), replace(office(), name="other"), folds=2, seed=3).write(tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = read_findings(tmp_path / "a.json")
    assert found.queries.ids[0] == "office#q1"


def test_slices_name_the_tools_that_are_found_worst() -> None:
    """For the report: the worst tool first, with queries that went wrong; few tools have a confusion matrix."""
    found = judged(office())
    worst = found.parts["slices"][0]
    assert (worst["slice"], worst["figure"]["value"], worst["figure"]["n"]) == ("right tool = calendar", 0.5, 2)
    assert worst["examples"] == [
        {
            "query": "what is my umbrella doing",
            "expected": "calendar",
            "got": "currency, calendar, weather",
            "detail": "q4: the first right tool came at place 2 of 4, and none was held to fit",
        }
    ]
    assert found.parts["confusion"]["calendar"]["currency"] == 1


def test_what_cannot_be_judged_is_named_with_its_place() -> None:
    """Every problem at once: tools that are not offered, nothing to choose from, no known right tool."""
    wrong = office((("x", ("wether",)), ("y", ("mail",))))
    empty = replace(office((("x", ("mail",)),)), catalogue=())
    with pytest.raises(DataError) as raised:
        judged(wrong, empty, replace(office(ASKED[-1:]), name="nobody"))
    assert raised.value.problems == [
        "office:1: right tool 'wether' is not one to choose from (did you mean 'weather'?)",
        "office:1: no tools to choose from: the record has none (tools), nor has its data set",
        f"nobody: {NO_TOOLS}",
    ]


def test_examples_come_from_one_place() -> None:
    """--train and --folds together would judge by what was learned from itself."""
    with pytest.raises(DataError, match="leave one out"):
        judged(office(), train=[office()], folds=2)
    with pytest.raises(DataError, match="cannot be split"):
        judged(office(), folds=5)


def written(folder: Path) -> Path:
    tools = [tool.model_dump() for tool in CATALOGUE]
    rows = [
        {"id": f"q{n}", "query": query, "tools": tools, "right_tools": right} for n, (query, right) in enumerate(ASKED)
    ]
    path = folder / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_the_command_writes_its_findings_and_a_report(tmp_path: Path) -> None:
    """`orchestrator eval tools DATA --embedder none`, on a file of records; --test names data as well as DATA does."""
    path, found = str(written(tmp_path)), tmp_path / "found.json"
    options = ["--embedder", "none", "--json", str(found)]
    done = CliRunner().invoke(app, ["tools", path, *options, "--report", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert json.loads(found.read_text())["recall1"]["value"] == 0.75
    assert (tmp_path / "report" / "report.html").stat().st_size > 1000
    assert CliRunner().invoke(app, ["tools", "--train", path, "--test", path, *options]).exit_code == 0
    assert any("stand among those to judge by" in note for note in json.loads(found.read_text())["notes"])


@pytest.mark.parametrize(
    "arguments", [["tools"], ["tools", "nowhere.jsonl"], ["tools", "RECORDS", "--embedder", "./x"]]
)
def test_what_the_command_cannot_use_ends_with_exit_2(tmp_path: Path, arguments: list[str]) -> None:
    """No data, a missing file, an embedder that is not there."""
    path = str(written(tmp_path))
    done = CliRunner().invoke(app, [path if argument == "RECORDS" else argument for argument in arguments])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (2, True)


@needs_shared
def test_metatool_by_words_alone_beats_the_measured_baseline() -> None:
    """Measured on the data: TF-IDF over descriptions R@1 .395, R@5 .556; here on 2,000 of the queries."""
    dataset = open_dataset(f"metatool:{SHARED / 'metatool' / 'all_clean_data.csv.gz'}")
    figure = figures(judged(dataset, limit=2000))
    assert figure["recall1"].n == 2000
    assert figure["recall1"].value > 0.395
    assert figure["recall5"].value > 0.556


@needs_shared
def test_bfcl_by_words_alone() -> None:
    """Each chooses among about three functions of its own; the relevance rows have no known right one."""
    kinds = [f"bfcl:{SHARED / 'bfcl' / f'BFCL_v4_{kind}'}" for kind in ("multiple.json.gz", "live_relevance.json")]
    multiple, relevance = map(open_dataset, kinds)
    found = judged(multiple)
    assert figures(found)["recall1"].n == 200
    assert figures(found)["recall1"].value > 0.8
    with pytest.raises(DataError, match="no record says which tools are right"):
        judged(relevance)
