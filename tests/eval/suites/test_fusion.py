"""The suite `fusion` on small planted pools: what it finds, what it refuses, and that a second run finds the same."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset, Draft, Outcome, Record
from eval.findings import Findings, flat, read_findings
from eval.measures import measure
from eval.metrics import Figure
from eval.suites.fusion import judge_fusion

EXPERTS = ("ann-1.5", "bob", "cyd", "dan")
EVEN = (0.6, 0.6, 0.6, 0.6)
UNEVEN = (0.95, 0.3, 0.3, 0.3)
METHODS = ("best_single", "majority", "stable", "weighted", "fitted", "consensus", "random_filter", "policy", "oracle")


def question(number: int, accuracy: Sequence[float], *, category: str | None, random: Random, **extra: Any) -> Record:
    """Four options, D is right; every twentieth draft has no answer."""
    drafts = {}
    for expert, share in zip(EXPERTS, accuracy, strict=True):
        answer = "D" if random.random() < share else random.choice("ABC")
        text = f"Let me think about question {number}. The answer is {answer}."
        drafts[expert] = Draft(text=text, answer=answer if random.random() < 0.95 else None)
    values: dict[str, Any] = {"gold": "D", "options": ("one", "two", "three", "four"), "drafts": drafts} | extra
    return Record(
        id=f"q{number}", query=f"question {number} of {category}", category=category, source=f"own:{number}", **values
    )


def pool(n: int = 150, *, start: int = 0, seed: int = 0, **extra: Any) -> Dataset:
    """Two categories: one of even experts, one in which the first is far better."""
    random = Random(seed)  # noqa: S311 - a reproducible pool
    records = [
        question(start + number, accuracy, category=category, random=random, **extra)
        for number, (category, accuracy) in enumerate([("even", EVEN)] * n + [("uneven", UNEVEN)] * n)
    ]
    return Dataset(name="own", records=tuple(records))


def judged(*datasets: Dataset, **settings: Any) -> Findings:
    """Without progress."""
    return judge_fusion(datasets, progress=lambda *_: None, **settings)


def value(findings: Findings, name: str) -> float:
    """Of a figure by its dotted name."""
    return dict(flat(findings.figures))[name].value


@pytest.fixture(scope="module")
def found() -> Findings:
    """Of the planted pool, five folds."""
    return judged(pool())


def test_every_method_is_measured_on_the_same_queries(found: Findings) -> None:
    """Specified: the figures of the suite under their names, each with n and an interval."""
    for name in METHODS:
        figure = found.figures[name]
        assert isinstance(figure, Figure)
        assert figure.n == 300
        assert figure.ci95 is not None
    assert value(found, "oracle") >= value(found, "policy") > value(found, "best_single")
    assert value(found, "consensus") > value(found, "random_filter")


def test_gains_are_paired_with_the_best_single_expert(found: Findings) -> None:
    """Specified: after less before on the same queries, which for answers right or wrong is helped less harmed."""
    for name in METHODS[1:]:
        assert value(found, f"gain.{name}") == pytest.approx(value(found, name) - value(found, "best_single"))
    assert value(found, "helped") - value(found, "harmed") == pytest.approx(value(found, "gain.policy"))
    helped, harmed = value(found, "helped_by.majority"), value(found, "harmed_by.majority")
    assert helped - harmed == pytest.approx(value(found, "gain.majority"))


def test_figures_are_the_means_of_the_values_of_single_queries(found: Findings) -> None:
    """Ours: so that two runs can be compared in pairs; names with dots keep their place."""
    figures = dict(flat(found.figures))
    assert set(found.queries.values) == set(figures)
    for name, row in found.queries.values.items():
        entering = row[~np.isnan(row)]
        assert figures[name].n == len(entering)
        assert figures[name].value == pytest.approx(entering.mean())
    assert "experts.ann-1.5" in figures


def test_every_figure_has_a_meaning(found: Findings) -> None:
    """Ours: tables and comparisons know which way is better."""
    assert all(measure(name).meaning for name, _ in flat(found.figures))
    assert measure("calls.policy").better == measure("harmed_by.majority").better == "lower"
    assert measure("gain.policy").better == measure("filter_gain.contested.over_weighted").better == "higher"


def test_calls_and_tokens_count_only_who_is_asked(found: Findings) -> None:
    """Specified: the consensus asks everybody, one expert is one call, a vote stops when it is decided."""
    assert value(found, "calls.best_single") == 1
    assert value(found, "calls.consensus") == value(found, "calls.random_filter") == 4
    assert 2 <= value(found, "calls.majority") < 4
    assert 1 < value(found, "calls.policy") < 4
    assert value(found, "tokens.consensus") == pytest.approx(4 * value(found, "tokens.best_single"), rel=0.05)
    assert value(found, "tokens.policy") < value(found, "tokens.consensus")
    assert value(found, "unanswered") == pytest.approx(0.05, abs=0.02)


def test_no_texts_are_no_tokens() -> None:
    """Specified: what the data cannot say is undefined, not 0."""
    records = [
        record.model_copy(
            update={"drafts": {name: Draft(answer=draft.answer) for name, draft in record.drafts.items()}}
        )
        for record in pool(40).records
    ]
    figure = dict(flat(judged(Dataset(name="own", records=tuple(records))).figures))["tokens.policy"]
    assert figure.n == 0
    assert np.isnan(figure.value)


def test_the_policy_leaves_the_strong_expert_alone(found: Findings) -> None:
    """Specified: no harm in the category of the strong expert, a gain where experts are even."""
    rows = found.parts["heat_map"]["rows"]
    columns = found.parts["heat_map"]["columns"]
    cells = found.parts["heat_map"]["cells"]
    cell = {
        (row, column): cells[at][number]["value"]
        for at, row in enumerate(rows)
        for number, column in enumerate(columns)
    }
    assert cell["even", "policy"] > cell["even", "best_single"] + 0.04
    assert cell["uneven", "policy"] > cell["uneven", "best_single"] - 0.02
    assert cell["uneven", "majority"] < cell["uneven", "best_single"] - 0.1


def test_minority_is_of_queries_on_which_some_but_less_than_half_are_right(found: Findings) -> None:
    """Specified: of four drafts, where exactly one is right."""
    expected = sum([draft.answer for draft in record.drafts.values()].count("D") == 1 for record in pool().records)
    assert dict(flat(found.figures))["minority_recovered.policy"].n == expected


def test_categories_in_which_fusion_loses_stand_beside_those_in_which_it_gains(found: Findings) -> None:
    """Specified: of the vote and of the policy, the worst category first, adding up to the gain over all."""
    for tree, method in (("fused_gain_in", "weighted"), ("policy_gain_in", "policy")):
        gains = [value(found, f"{tree}.{category}") for category in ("even", "uneven")]
        assert np.mean(gains) == pytest.approx(value(found, f"gain.{method}"))
        assert gains[0] > 0.04
        names = [name for name, _ in flat(found.figures) if name.startswith(tree)]
        assert [value(found, name) for name in names] == sorted(gains)


def test_an_overruled_specialist_is_compared_with_the_vote_that_overrules_it(found: Findings) -> None:
    """Specified: on the queries to which the vote gives another answer than the expert that is best in the category."""
    figures = dict(flat(found.figures))
    specialist, vote = figures["overruled.specialist"], figures["overruled.weighted"]
    assert 0 < specialist.n == vote.n < 150
    assert 0 <= specialist.value + vote.value <= 1  # two answers are not both right


def test_parts_are_what_the_report_draws(found: Findings) -> None:
    """Ours: frontier, heat map, curve, slices and plans, as JSON."""
    json.dumps(dict(found.parts), allow_nan=False)
    assert {point["name"] for point in found.parts["frontier"]["points"]} == {*EXPERTS, *METHODS[1:]}
    assert found.parts["drafts_curve"]["drafts"] == [1, 2, 3, 4]
    assert found.parts["drafts_curve"]["calls"][0] == 1
    assert set(found.parts["plans"]) == {"even", "uneven"}
    assert all(len(plans) == 5 for plans in found.parts["plans"].values())
    for part in found.parts["slices"]:
        assert part["figure"]["value"] < 0
        assert 0 < len(part["examples"]) <= 3


def test_at_most_so_many_drafts() -> None:
    """Specified: with a limit, all methods see the same drafts of those most worth asking."""
    limited = judged(pool(), most_drafts=3)
    assert value(limited, "calls.consensus") == 3
    assert limited.parts["drafts_curve"]["drafts"] == [1, 2, 3]
    assert value(limited, "calls.policy") <= 3
    alone = judged(pool(), most_drafts=1)
    assert value(alone, "calls.policy") == value(alone, "calls.majority") == 1
    assert value(alone, "gain.majority") == 0


def test_what_is_learned_from_is_not_judged() -> None:
    """Specified: with --train all of the other data is judged, and no text is on both sides."""
    train, test = pool(seed=1), pool(60, start=200, seed=2)
    findings = judged(test, train=[train])
    assert findings.queries.ids == tuple(f"own#q{200 + number}" for number in range(120))
    assert "note" not in findings.run
    assert any("also judged" in note for note in findings.notes)


def test_outcomes_stand_for_a_gold_answer() -> None:
    """Specified: graded drafts need no gold answer."""
    records = [
        record.model_copy(
            update={
                "gold": None,
                "outcomes": {name: Outcome(score=float(draft.answer == "D")) for name, draft in record.drafts.items()},
            }
        )
        for record in pool(40).records
    ]
    by_gold, by_outcome = judged(pool(40)), judged(Dataset(name="own", records=tuple(records)))
    assert {name: value(by_gold, name) for name in METHODS} == {name: value(by_outcome, name) for name in METHODS}


def test_queries_that_lack_a_draft_are_left_out_and_counted() -> None:
    """Specified: never silently dropped."""
    data = pool(60)
    first, *others = data.records
    drafts = {name: draft for name, draft in first.drafts.items() if name != "bob"}
    findings = judged(Dataset(name="own", records=(first.model_copy(update={"drafts": drafts}), *others)))
    assert len(findings.queries.ids) == 119
    assert any(note.startswith("1 queries left out") for note in findings.notes)


def test_numbers_and_words_are_the_same_answer_however_they_are_written() -> None:
    """Ours: 1,000 and 1000.0 are one answer, and so are words but for case and articles."""
    drafts = {"a": "1,000", "b": "1000.0", "c": "the Answer", "d": "answer"}
    records = [
        Record(id=f"q{n}", query=f"q{n}", gold="1000", drafts={e: Draft(answer=said) for e, said in drafts.items()})
        for n in range(60)
    ]
    findings = judged(Dataset(name="own", records=tuple(records)))
    assert value(findings, "experts.a") == value(findings, "experts.b") == 1
    assert value(findings, "majority") == 1
    assert value(findings, "filter_gain.over_weighted") == 0


@pytest.mark.parametrize(
    ("data", "settings", "said"),
    [
        (Dataset(name="graded", records=(Record(id="1", query="q"),)), {}, "no record has drafts"),
        (pool(30), {"experts": ["ann-1.5", "bop"]}, "did you mean 'bob'"),
        (pool(30), {"experts": ["bob"]}, "at least 2"),
        (pool(30, gold=None), {}, "own:0: no gold answer and no outcome of 'ann-1.5'"),
        (pool(8), {}, "queries to learn from"),
        (pool(30), {"folds": 100}, "cannot be split"),
        (pool(30), {"folds": 2, "train": [pool(30)]}, "not from both"),
    ],
)
def test_data_that_cannot_be_used_are_refused(data: Dataset, settings: dict[str, Any], said: str) -> None:
    """Specified: one line a problem, with its place and what to do."""
    with pytest.raises(DataError) as raised:
        judged(data, **settings)
    assert said in raised.value.problems[0]
    assert len(raised.value.problems) <= 21


def test_no_query_with_drafts_of_all_experts_is_told() -> None:
    """Specified: which expert is the rarest, and what to do."""
    records = tuple(
        record.model_copy(update={"drafts": {name: record.drafts[name] for name in names}})
        for record, names in zip(pool(10).records, [EXPERTS[:2], EXPERTS[2:]] * 10, strict=True)
    )
    with pytest.raises(DataError) as raised:
        judged(Dataset(name="own", records=records))
    assert "choose others with --experts" in raised.value.problems[0]


def written(folder: Path, data: Dataset) -> Path:
    """As a file of records."""
    path = folder / "pool.jsonl"
    lines = [record.model_dump_json(exclude={"source"}, exclude_defaults=True) for record in data.records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_command_writes_the_same_file_twice(tmp_path: Path) -> None:
    """Specified: the same data, settings and seed give the same bytes; the report opens on them."""
    path = written(tmp_path, pool(40))
    for name in ("a", "b"):
        arguments = ["fusion", str(path), "--max-drafts", "3", "--json", str(tmp_path / f"{name}.json")]
        result = CliRunner().invoke(app, [*arguments, "--report", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        assert "policy" in result.output
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_findings(tmp_path / "a.json").suite == "fusion"
    assert "Accuracy by number of drafts" in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")


def test_the_command_tells_of_bad_input_with_status_2(tmp_path: Path) -> None:
    """Specified: the problem on stderr, exit status 2."""
    path = written(tmp_path, pool(40))
    for arguments, said in (
        ([], "nothing to judge by"),
        ([str(path), "--experts", "eve"], "--experts eve: no drafts by it"),
        ([str(tmp_path / "none.jsonl")], "no such file"),
    ):
        result = CliRunner().invoke(app, ["fusion", *arguments])
        assert result.exit_code == 2
        assert said in result.output
