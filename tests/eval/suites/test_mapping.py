"""The suite `mapping` on a small pool whose experts each know one subject."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset, Outcome, Record
from eval.findings import Findings, flat, read_findings
from eval.metrics import Figure
from eval.metrics.cost_quality import strong_calls
from eval.report import write_report
from eval.report.curves import Calls, Frontier
from eval.report.tables import Slices
from eval.suites.mapping import judge_mapping
from orchestrator.testing import WordEmbedder

COSTS = {"mathematician": 0.003, "lawyer": 0.002, "student": 0.001}
SUBJECTS = {"math": "sum of numbers", "law": "court and contract"}
SKILLS: Mapping[str, Mapping[str, float]] = {
    "mathematician": {"math": 1, "law": 0},
    "lawyer": {"math": 0, "law": 1},
    "student": {"math": 0, "law": 0},
}
ROUTERS = ("category_true", "category_predicted", "knn", "plan")
N = 60


def record(
    number: int,
    query: str,
    scores: Mapping[str, float],
    *,
    category: str | None = None,
    costs: Mapping[str, float] | None = None,
) -> Record:
    """A graded query."""
    outcomes = {
        expert: Outcome(score=score, cost_usd=None if costs is None else costs.get(expert))
        for expert, score in scores.items()
    }
    return Record(id=f"q{number}", query=query, category=category, outcomes=outcomes, source=f"own:{number}")


def subjects(
    *, costs: Mapping[str, float] | None = COSTS, named: bool = True, n: int = N, skills: Any = SKILLS
) -> Dataset:
    """Two thirds of the queries are of math; every sixth of them the student alone can answer."""
    records = []
    for number in range(n):
        subject = "law" if number % 3 == 0 else "math"
        scores = {expert: float(skills[expert][subject]) for expert in skills}
        if number % 6 == 1:
            scores = {expert: float(expert == "student") for expert in skills}
        query = f"{SUBJECTS[subject]} number {number}"
        records.append(record(number, query, scores, category=subject if named else None, costs=costs))
    return Dataset(name="own", records=tuple(records))


def silent(_what: str, _done: int, _total: int) -> None:
    """No bar."""


def judged(*datasets: Dataset, **settings: Any) -> Findings:
    """Hashed words, and few neighbours."""
    settings = {"embedder": WordEmbedder(64), "neighbours": 10, "progress": silent, **settings}
    return judge_mapping(datasets, **settings)


def figures(findings: Findings) -> dict[str, Figure]:
    """By dotted name."""
    return dict(flat(findings.figures))


def values(findings: Findings) -> dict[str, float]:
    """The same without intervals."""
    return {name: figure.value for name, figure in figures(findings).items()}


def pair(outcomes: Sequence[tuple[float, float]], *, costs: Mapping[str, float] | None = None) -> Dataset:
    """Queries of two experts, a and b, without a category."""
    return Dataset(
        name="pair",
        records=tuple(
            record(number, f"query number {number}", dict(zip("ab", scores, strict=True)), costs=costs)
            for number, scores in enumerate(outcomes)
        ),
    )


def test_experts_of_one_subject_each_are_worth_routing_to() -> None:
    """Known by construction: ten queries that only the student can answer are the oracle's alone."""
    found = values(judged(subjects()))
    assert found["best_single"] == pytest.approx(30 / 60)
    assert found["random"] == pytest.approx(60 / 180)
    for router in ROUTERS:
        assert found[router] == pytest.approx(50 / 60)
    assert found["oracle"] == 1
    assert found["gap_closed"] == pytest.approx(20 / 30)
    assert found["gap_closed_of.knn"] == pytest.approx(20 / 30)
    assert found["experts.student"] == pytest.approx(10 / 60)
    assert found["mean_cost"] == pytest.approx((40 * 0.003 + 20 * 0.002) / 60)
    assert found["cost_of.oracle"] == pytest.approx((30 * 0.003 + 20 * 0.002 + 10 * 0.001) / 60)
    assert found["cost_of.random"] == pytest.approx(0.002)


def test_every_figure_of_the_suite_is_there_whatever_is_known() -> None:
    """Specified: the keys of the JSON, undefined where the data cannot answer, never missing."""
    bare = judged(pair([(1, 0), (0, 1)] * 10, costs=None))
    for findings in (judged(subjects()), bare):
        assert {
            *("best_single", "random", *ROUTERS, "oracle", "gap_closed", "gap_closed_of", "mean_cost", "experts"),
            *("avg_active_params", "aiq", "aiq_zero", "apgr", "cpt50", "cpt80", "arena_score"),
        } <= set(findings.as_dict())
    found = figures(bare)
    undefined = {name for name, figure in found.items() if figure.n == 0}
    assert undefined == {
        *("category_true", "category_predicted", "gap_closed_of.category_true", "gap_closed_of.category_predicted"),
        *("mean_cost", "arena_score", "avg_active_params", "aiq", "aiq_zero"),
    }


def test_values_of_single_queries_make_up_the_figures() -> None:
    """Specified: what `eval compare` pairs two runs by."""
    findings = judged(subjects(), active_params_b={"mathematician": 7, "lawyer": 3, "student": 1})
    found = figures(findings)
    assert len(findings.queries.ids) == N
    assert {*ROUTERS, "mean_cost", "cost_of.oracle", "avg_active_params", "experts.lawyer"} <= set(
        findings.queries.values
    )
    for name, row in findings.queries.values.items():
        assert np.nanmean(row) == pytest.approx(found[name].value)
        assert int(np.sum(~np.isnan(row))) == found[name].n
    assert found["avg_active_params"].value == pytest.approx((40 * 7 + 20 * 3) / 60)
    assert found["active_params_of.random"].value == pytest.approx(11 / 3)


def test_the_same_run_gives_the_same_bytes_and_the_file_comes_back(tmp_path: Path) -> None:
    """Specified: byte for byte, and `eval compare` can read it."""
    first, second = judged(subjects()), judged(subjects())
    assert json.dumps(first.as_dict()) == json.dumps(second.as_dict())
    first.write(tmp_path / "run.json")
    assert read_findings(tmp_path / "run.json").as_dict() == first.as_dict()
    assert judged(subjects(), seed=1).run != first.run


def test_the_oracle_takes_the_cheapest_of_equal_experts() -> None:
    """Specified, also where none is right; the dear one is asked where it alone is right."""
    outcomes = [(1, 1), (0, 0), (0, 1), (1, 0)] * 5
    found = values(judged(pair(outcomes, costs={"a": 0.004, "b": 0.001}), folds=2))
    assert found["oracle"] == 0.75
    assert found["cost_of.oracle"] == pytest.approx((3 * 0.001 + 0.004) / 4)


def test_equal_experts_rank_as_the_pool_names_them() -> None:
    """Documented: the first that `experts` names, else the first in the data."""
    outcomes = pair([(1, 1)] * 20, costs={"a": 0.004, "b": 0.001})
    assert values(judged(outcomes))["cost_of.best_single"] == pytest.approx(0.004)
    assert values(judged(outcomes, experts=["b", "a"]))["cost_of.best_single"] == pytest.approx(0.001)
    assert values(judged(outcomes, experts=["b", "a"]))["cost_of.knn"] == pytest.approx(0.001)


def test_routers_lie_between_the_worst_expert_and_the_oracle_of_every_query() -> None:
    """Random scores: no figure can be beyond what single experts did; what was not learned from cannot be known."""
    random = np.random.default_rng(3)
    records = [
        record(
            number, f"{random.integers(50)} {number}", dict(zip("abcd", row, strict=True)), category=f"c{number % 5}"
        )
        for number, row in enumerate(random.random((200, 4)).round(3).tolist())
    ]
    findings = judged(Dataset(name="noise", records=tuple(records)))
    rows = findings.queries.values
    scores = np.stack([rows[f"experts.{expert}"] for expert in "abcd"])
    for name in ("best_single", *ROUTERS):
        assert np.isin(rows[name], scores).all()
        assert (rows[name] <= rows["oracle"]).all()
        assert rows[name].mean() == pytest.approx(0.5, abs=0.08)
    np.testing.assert_allclose(rows["oracle"], scores.max(axis=0))
    np.testing.assert_allclose(rows["random"], scores.mean(axis=0))


def test_without_categories_the_plan_is_the_best_single_expert() -> None:
    """Specified: nothing is undefined in silence."""
    findings = judged(subjects(named=False))
    found = figures(findings)
    assert found["category_true"].n == found["category_predicted"].n == 0
    assert found["plan"].value == found["best_single"].value
    assert found["knn"].value > found["best_single"].value
    assert any("no query to learn from has a category" in note for note in findings.notes)
    assert "heat_map" not in findings.parts
    assert [one["slice"] for one in findings.parts["slices"]] == ["all queries"]


def test_queries_without_a_category_do_not_enter_that_of_the_true_one() -> None:
    """Ours: they are judged by what is predicted for them."""
    own = subjects()
    some = [one.model_copy(update={"category": None}) if at < 12 else one for at, one in enumerate(own.records)]
    findings = judged(Dataset(name="own", records=tuple(some)))
    found = figures(findings)
    assert (found["category_true"].n, found["category_predicted"].n, found["plan"].n) == (48, 60, 60)
    assert found["plan"].value == pytest.approx(50 / 60)
    assert any(note.startswith("12 queries have no category") for note in findings.notes)


def test_one_category_is_no_reason_to_fail() -> None:
    """There is nothing to predict: every router by category sends all to the best single expert."""
    one = tuple(one.model_copy(update={"category": "all"}) for one in subjects().records)
    found = values(judged(Dataset(name="one", records=one)))
    assert found["category_true"] == found["category_predicted"] == found["plan"] == found["best_single"]


def with_gap() -> Dataset:
    """The lawyer was not asked ten of the queries."""
    own = subjects()
    records = [
        one.model_copy(update={"outcomes": {name: out for name, out in one.outcomes.items() if name != "lawyer"}})
        if at < 10
        else one
        for at, one in enumerate(own.records)
    ]
    return Dataset(name="own", records=(*records, Record(id="bare", query="nobody was asked")))


def test_an_expert_that_was_not_asked_everything_is_left_out_and_named() -> None:
    """Specified: without --experts the pool is of those that have every row."""
    findings = judged(with_gap())
    assert set(values(findings)) >= {"experts.mathematician", "experts.student"}
    assert "experts.lawyer" not in values(findings)
    assert figures(findings)["plan"].n == 60
    assert any("lawyer (50)" in note and "--experts" in note for note in findings.notes)
    assert any(note.startswith("1 queries are left out: no expert was asked") for note in findings.notes)


def test_a_named_expert_keeps_the_queries_that_all_answered() -> None:
    """Specified: with a note of how many that leaves out."""
    findings = judged(with_gap(), experts=["lawyer", "mathematician"])
    assert figures(findings)["plan"].n == 50
    assert any(note == "10 queries are left out: they lack outcomes of lawyer (50)" for note in findings.notes)
    assert not any("student" in note for note in findings.notes)


def test_what_is_learned_from_another_set_is_judged_by_this_one() -> None:
    """Specified for --train; a query that stands in both is judged, not learned from, whatever its spacing."""
    own = subjects()
    learned = tuple(one.model_copy(update={"query": one.query.replace("number", "numero")}) for one in own.records)
    shared = own.records[0].model_copy(update={"id": "shared", "query": f"  {own.records[0].query.upper()}"})
    train = Dataset(name="before", records=(*learned, shared))
    findings = judged(own, train=[train])
    assert findings.queries.ids == tuple(one.id for one in own.records)
    assert figures(findings)["plan"].value == pytest.approx(50 / 60)
    assert any(note.startswith("1 queries to learn from stand among the judged") for note in findings.notes)
    with pytest.raises(DataError, match="0 queries to learn from"):
        judged(own, train=[Dataset(name="before", records=own.records)])


def test_two_named_experts_are_the_weak_and_the_strong_one() -> None:
    """Specified: in this order; by their means where nobody names them, and cheapest and best of a larger pool."""
    two = {"a": 0.004, "b": 0.001}
    outcomes = pair([(1, 0), (1, 1), (1, 1), (0, 0)] * 5, costs=two)
    assert _weak_and_strong(judged(outcomes)) == ("b", "a")
    assert _weak_and_strong(judged(outcomes, experts=["b", "a"])) == ("b", "a")
    turned = judged(outcomes, experts=["a", "b"])
    assert _weak_and_strong(turned) == ("a", "b")
    assert np.isnan(values(turned)["apgr"])
    assert any("no gap to recover" in note for note in turned.notes)
    assert _weak_and_strong(judged(subjects())) == ("student", "mathematician")
    unpriced = judged(subjects(costs=None))
    assert "calls" not in unpriced.parts
    assert np.isnan(values(unpriced)["cpt50"])
    assert any("--experts weak,strong" in note for note in unpriced.notes)


def _weak_and_strong(findings: Findings) -> tuple[str, str]:
    return findings.parts["calls"]["weak"], findings.parts["calls"]["strong"]


def test_calls_go_where_similar_queries_gained_most() -> None:
    """The strong expert helps with math alone: the whole gap closes at math's share, which no coin does."""
    skills = {"weak": {"math": 0, "law": 1}, "strong": {"math": 1, "law": 1}}
    found = figures(judged(subjects(skills=skills, costs=None), experts=["weak", "strong"]))
    rows = [number for number in range(N) if number % 6 != 1]
    gain = np.array([float(number % 3 != 0) if number in rows else 0.0 for number in range(N)])
    ideal = strong_calls(weak=1 - gain, strong=np.ones(N), preference=gain)
    assert 0.5 < found["apgr"].value <= ideal.apgr
    assert found["cpt50"].value < found["cpt80"].value < 0.8
    low, high = found["apgr"].ci95 or (0, 0)
    assert low < found["apgr"].value < high
    assert found["apgr_of.category_predicted"].value == pytest.approx(found["apgr"].value, abs=0.1)


def test_the_trade_off_is_measured_over_the_experts_costs() -> None:
    """By hand: a coin between .5 at 1 and 1 at 3 has .75 on average; sending each its own has more, for less."""
    skills = {"cheap": {"math": 0, "law": 1}, "dear": {"math": 1, "law": 1}}
    costs = {"cheap": 0.001, "dear": 0.003}
    records = [
        record(n, f"{SUBJECTS[s]} {n}", {e: skills[e][s] for e in skills}, category=s, costs=costs)
        for n, s in enumerate(["math", "law"] * 30)
    ]
    found = figures(judged(Dataset(name="two", records=tuple(records))))
    assert found["aiq_zero"].value == pytest.approx(0.75)
    assert found["aiq"].value == pytest.approx(0.875)
    assert found["aiq_of.knn"].value == pytest.approx(0.875)
    assert found["aiq_gain"].value == pytest.approx(0.125)
    low, high = found["aiq_gain"].ci95 or (0, 0)
    assert 0 < low < 0.125 < high
    assert found["plan"].value == 1


def test_costs_that_are_known_in_part_are_no_zeros() -> None:
    """A query without the cost of some expert leaves the frontier, and the mean of those who would have answered it."""
    own = subjects()
    free = [
        one.model_copy(
            update={"outcomes": {name: out.model_copy(update={"cost_usd": None}) for name, out in one.outcomes.items()}}
        )
        if at < 15
        else one
        for at, one in enumerate(own.records)
    ]
    findings = judged(Dataset(name="own", records=tuple(free)))
    found = figures(findings)
    assert (found["mean_cost"].n, found["aiq"].n, found["plan"].n) == (45, 45, 60)
    assert found["cost_of.random"].value == pytest.approx(0.002)
    assert {point["cost"]["n"] for point in findings.parts["frontier"]["points"]} == {45}
    assert any(note.startswith("15 queries lack the cost") for note in findings.notes)


def test_experts_that_cost_nothing_cost_nothing() -> None:
    """The interval of a cost is no share of queries."""
    findings = judged(subjects(costs=dict.fromkeys(COSTS, 0.0)))
    assert figures(findings)["mean_cost"] == Figure(0.0, (0.0, 0.0), N)
    low, high = figures(findings)["oracle"].ci95 or (0, 0)
    assert 0.9 < low < high <= 1


def test_the_plan_keeps_within_its_budget() -> None:
    """Specified; a budget that nobody keeps, and one of costs that nobody knows, are mistakes of the input."""
    assert values(judged(subjects()))["mean_cost"] > 0.0021
    cheaper = judged(subjects(), budget_usd=0.0021)
    assert values(cheaper)["mean_cost"] <= 0.0021 + 1e-9
    assert any("keeps within the budget" in note for note in cheaper.notes)
    with pytest.raises(DataError, match="--budget-usd"):
        judged(subjects(), budget_usd=0.0005)
    with pytest.raises(DataError, match="what lawyer costs"):
        judged(subjects(costs={"mathematician": 0.003, "student": 0.001}), budget_usd=0.002)


def test_the_report_draws_what_was_found(tmp_path: Path) -> None:
    """Cost against quality, who knows what, strong calls, and where the plan does worst."""
    findings = judged(subjects())
    frontier = Frontier.of(findings.parts["frontier"])
    assert {(point.kind, point.name) for point in frontier.points} == {
        *(("expert", name) for name in COSTS),
        *(("router", name) for name in ROUTERS),
        ("random", "random"),
        ("oracle", "oracle"),
    }
    assert frontier.zero_hull.costs[0] == pytest.approx(0.001)
    assert frontier.hull.qualities[-1] == pytest.approx(50 / 60)
    heat_map = findings.parts["heat_map"]
    assert (heat_map["rows"], heat_map["columns"]) == (["law", "math"], list(COSTS))
    assert heat_map["cells"][1][0]["value"] == pytest.approx(30 / 40)
    assert len(Calls.of(findings.parts["calls"]).shares) <= 200
    worst = Slices.of(findings.parts["slices"]).slices[0]
    assert worst.name == "category = math"
    assert worst.figure.value == pytest.approx(-10 / 40)
    assert worst.examples[0].expected == "student, score 1"
    assert worst.examples[0].got == "mathematician, score 0"
    assert worst.examples[0].detail == "q1, taken as math"
    write_report(findings, tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 0


def test_active_parameters_are_a_price_where_there_are_no_dollars() -> None:
    """Ours: the frontier is drawn over them; figures of money stay undefined."""
    sizes = {"mathematician": 70.0, "lawyer": 8.0, "student": 1.0, "stranger": 5.0}
    findings = judged(subjects(costs=None), active_params_b=sizes)
    assert findings.parts["frontier"]["cost_unit"] == "billions of active parameters"
    assert np.isnan(values(findings)["aiq"])
    assert _weak_and_strong(findings) == ("student", "mathematician")
    del sizes["lawyer"]
    lacking = judged(subjects(costs=None), active_params_b=sizes)
    assert np.isnan(values(lacking)["avg_active_params"])
    assert any("avg_active_params is undefined" in note for note in lacking.notes)


def test_data_that_cannot_be_routed_are_told_with_their_place() -> None:
    """Specified: no outcomes, unknown experts, one expert, one set twice, too few queries, an unknown classifier."""
    bare = Dataset(name="bare.jsonl", records=(Record(id="1", query="x"),))
    with pytest.raises(DataError, match=r"bare\.jsonl: no record says how experts did"):
        judged(bare, subjects())
    with pytest.raises(DataError, match="did you mean 'lawyer'") as caught:
        judged(subjects(), experts=["lawyr", "nobody", "student"])
    assert [problem.split(":")[1].strip() for problem in caught.value.problems] == ["lawyr", "nobody"]
    with pytest.raises(DataError, match="two or more"):
        judged(subjects(), experts=["lawyer"])
    with pytest.raises(DataError, match="named twice"):
        judged(subjects(), subjects())
    with pytest.raises(DataError, match="no two experts answered all"):
        judged(subjects(), Dataset(name="other", records=pair([(1, 0)] * 5).records))
    with pytest.raises(DataError, match="no query was answered by all"):
        judged(subjects(), Dataset(name="other", records=pair([(1, 0)] * 5).records), experts=["a", "student"])
    with pytest.raises(DataError, match="folds"):
        judged(subjects(n=1))
    with pytest.raises(DataError, match="--classifier psychic"):
        judged(subjects(), classifier="psychic")


def records_file(folder: Path) -> str:
    """The subjects as a file of our own records."""
    path = folder / "subjects.jsonl"
    path.write_text("".join(one.model_dump_json(exclude={"source"}) + "\n" for one in subjects().records))
    return str(path)


def test_the_command_writes_what_the_suite_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line to a file that can be compared; sizes of experts come from a file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("routers.embedding.load.load_embedder", lambda _name, **_folder: WordEmbedder(64))
    (tmp_path / "sizes.yaml").write_text("mathematician: 7\nlawyer: 3\nstudent: 0.5\n")
    arguments = ["mapping", records_file(tmp_path), "--neighbours", "10", "--folds", "4"]
    arguments += ["--active-params", str(tmp_path / "sizes.yaml"), "--report", str(tmp_path / "report")]
    result = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "run.json")])
    assert result.exit_code == 0, result.output
    found = values(read_findings(tmp_path / "run.json"))
    assert found["plan"] == pytest.approx(50 / 60)
    assert found["avg_active_params"] == pytest.approx((40 * 7 + 20 * 3) / 60)
    assert (tmp_path / "report" / "report.md").is_file()


def test_sizes_of_experts_can_come_from_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Experts of the same ids; a file that says otherwise wins."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("routers.embedding.load.load_embedder", lambda _name, **_folder: WordEmbedder(64))
    experts = "".join(
        f"  {name}: {{kind: vllm, model: some/{name}, replicas: [http://127.0.0.1:1], active_params_b: 2}}\n"
        for name in COSTS
    )
    config = tmp_path / "experts.yaml"
    config.write_text(
        "version: 1\ncategories:\n  math: {description: sums, examples: [one, two], experts: [student]}\n"
        f"general: math\nexperts:\n{experts}"
    )
    arguments = ["mapping", records_file(tmp_path), "-c", str(config), "--json", str(tmp_path / "run.json")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert values(read_findings(tmp_path / "run.json"))["avg_active_params"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to judge by"),
        (["DATA", "--train", "DATA", "--folds", "2"], "not from both"),
        (["DATA", "--active-params", "sizes.yaml"], "lawyer: 'big' is no number"),
        (["DATA", "--active-params", "list.yaml"], "expected experts"),
        (["DATA", "--active-params", "broken.yaml"], "neither YAML nor JSON"),
        (["DATA", "--active-params", "nowhere.yaml"], "No such file"),
        (["nowhere.jsonl"], "no such file"),
    ],
)
def test_bad_input_ends_with_status_2(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Specified: one line a problem on stderr, with its place."""
    monkeypatch.chdir(tmp_path)
    data = records_file(tmp_path)
    Path("sizes.yaml").write_text("lawyer: big\nstudent: 1\n")
    Path("list.yaml").write_text("- 1\n")
    Path("broken.yaml").write_text("{\n")
    given = [data if argument == "DATA" else argument for argument in arguments]
    result = CliRunner().invoke(app, ["mapping", *given])
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
