"""The suite `uncertain`: the golden vectors, small panels of annotators, and VariErr where it is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset, Draft, Record
from eval.datasets.catalogue import open_dataset
from eval.findings import Findings, flat
from eval.metrics import Figure
from eval.suites.uncertain import judge_uncertain
from orchestrator.testing import WordEmbedder

SHARED = Path(__file__).parents[4] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data (../shared/data) is not here")

ROW = {
    "id": "golden",
    "query": "which?",
    "options": ["a", "b", "c", "d"],
    "labels": {"x": ["a", ["b", "c"]], "y": ["b", "a"], "z": ["a"]},
    "drafts": {"expert": {"answer": "a"}},
}
"""PAPERS.md section 2, as a line of a file of records."""


def silent(_what: str, _done: int, _total: int) -> None:
    """No bar."""


def judged(*records: Record, **settings: Any) -> Findings:
    return judge_uncertain([Dataset(name="panel", records=records)], progress=silent, **settings)


def figures(findings: Findings) -> dict[str, Figure]:
    return dict(flat(findings.figures))


def panel(identity: str, *labels: str, **drafts: str | None) -> Record:
    """A query with a label by each annotator."""
    return Record(
        id=identity,
        query=f"query {identity}",
        labels={f"Ann{number}": (label,) for number, label in enumerate(labels)},
        drafts={name: Draft(answer=answer) for name, answer in drafts.items()},
        source=f"panel:{identity}",
    )


def test_golden_vectors_hold_through_the_suite() -> None:
    """PAPERS.md section 2: predicting class 0, 20,000 draws, at four levels of trust."""
    found = figures(judged(Record.model_validate(ROW), trust=(1, 5, 20, 50), draws=20_000, seed=42))
    expected = {1: 0.569, 5: 0.690, 20: 0.856, 50: 0.954}
    for trust, value in expected.items():
        assert found[f"ua_accuracy.T{trust}.expert"].value == pytest.approx(value, abs=0.01)
        assert found[f"certainty.T{trust}"].value == pytest.approx(value, abs=0.01)
    assert found["accuracy.expert"].value == 1.0


def test_unanimous_annotators_leave_plain_accuracy() -> None:
    """PAPERS.md 3.1: with one label by all, the adjusted accuracy is the plain one, and its spread next to nothing."""
    records = [panel(str(n), *["yes" if n % 2 else "no"] * 4, good="yes", bad="maybe") for n in range(40)]
    found = figures(judged(*records))
    assert found["ua_accuracy.good"].value == pytest.approx(found["accuracy.good"].value, abs=0.02)
    assert found["ua_accuracy.good"].value == pytest.approx(0.5, abs=0.02)
    assert found["ua_spread.good"].value < 0.02
    assert found["certainty"].value > 0.98
    assert (found["accuracy.annotators"].value, found["accuracy.bad"].value) == (1.0, 0.0)


def test_the_spread_is_what_annotators_leave_open() -> None:
    """By the binomial: n queries on which two disagree evenly are coins, so the accuracy has deviation .5 / sqrt(n)."""
    n = 100
    found = figures(judged(*[panel(str(number), "yes", "no", one="yes") for number in range(n)], trust=(50,)))
    spread = found["ua_spread.one"]
    assert spread.value == pytest.approx(0.5 / np.sqrt(n), rel=0.02)
    assert spread.ci95 is not None
    assert spread.ci95[0] <= spread.value <= spread.ci95[1]


def test_a_tie_has_no_voted_label() -> None:
    """It enters the adjusted accuracy, and not the plain one; that is said."""
    found = judged(panel("a", "yes", "no", one="yes"), panel("b", "yes", "yes", one="yes"))
    assert (figures(found)["accuracy.one"].n, figures(found)["ua_accuracy.one"].n) == (1, 2)
    assert any("1 queries have no voted label" in note for note in found.notes)
    assert np.isnan(found.queries.values["accuracy.one"][0])


def test_annotators_are_judged_by_the_others() -> None:
    """Three of four agree: each of them has two of three others on the same label; the fourth has none."""
    found = judged(panel("a", "yes", "yes", "yes", "no"), panel("b", "no", "no"), panel("c", "yes"))
    plain = found.queries.values["accuracy.annotators"]
    assert plain[:2].tolist() == [0.75, 1.0]
    assert np.isnan(plain[2])
    assert figures(found)["ua_accuracy.annotators"].n == 2


def test_majority_label_is_what_the_other_queries_were_given_most() -> None:
    """A constant that has seen the query itself would be flattered."""
    records = [panel(str(n), *["no" if n == 0 else "yes"] * 2) for n in range(4)]
    found = judged(*records)
    assert found.queries.values["accuracy.majority_label"].tolist() == [0, 1, 1, 1]
    alone = judged(panel("a", "yes", "no", "no", one="no"))
    assert np.isnan(figures(alone)["accuracy.majority_label"].value)


def test_a_router_is_learned_where_there_are_no_drafts() -> None:
    """On the voted labels of the other folds."""
    records = [
        panel(f"{kind} {n}", *[label] * 3) for n in range(20) for kind, label in (("sun", "up"), ("sea", "down"))
    ]
    found = judged(*records, embedder=WordEmbedder(dim=512), folds=4)
    assert figures(found)["accuracy.router"].value == 1.0
    assert found.run["settings"]["folds"] == 4
    with_drafts = judged(*[panel(str(n), "a", "b", one="a") for n in range(3)], embedder=WordEmbedder())
    assert "accuracy.router" not in figures(with_drafts)


def test_drafts_without_a_label_are_wrong_and_missing_ones_do_not_enter() -> None:
    """Not asked is not wrong; both are said."""
    found = judged(
        panel("a", "yes", "yes", one="yes", two="no"),
        panel("b", "no", "no", one=None),
        panel("c", "no", "no", one="perhaps", two="no"),
    )
    assert found.queries.values["accuracy.one"].tolist() == [1, 0, 0]
    assert (figures(found)["accuracy.two"].value, figures(found)["accuracy.two"].n) == (0.5, 2)
    assert "one: 2 drafts hold none of the labels: they count as wrong" in found.notes
    assert "two: 1 queries without a draft do not enter its figures" in found.notes


def test_experts_may_be_chosen() -> None:
    """--experts: only these; one that has no draft is an error that names those that have."""
    records = (panel("a", "yes", "no", "no", one="yes", two="no"),)
    assert "accuracy.two" not in figures(judged(*records, experts=["one"]))
    with pytest.raises(DataError, match="no draft by 'three'; drafts are by: one, two"):
        judged(*records, experts=["three"])


def test_what_cannot_be_judged_is_named_with_its_place() -> None:
    """Nobody annotated, one label in all, a label twice, a name that is taken, too few for the folds."""
    with pytest.raises(DataError, match="no record has labels"):
        judged(Record(id="a", query="x"))
    with pytest.raises(DataError, match=r"^panel:a: all annotators name one label, 'yes'"):
        judged(panel("a", "yes", "yes"))
    twice = panel("b", "yes", "no").model_copy(update={"labels": {"Ann1": ("yes", "yes"), "Ann2": ("no",)}})
    with pytest.raises(DataError, match=r"^panel:b: labels: an annotator names a label twice"):
        judged(panel("a", "yes", "no"), twice)
    with pytest.raises(DataError, match="'router' is what this suite calls"):
        judged(panel("a", "yes", "no", router="yes"))
    with pytest.raises(DataError, match="cannot be split into 5 folds"):
        judged(panel("a", "yes", "no"), embedder=WordEmbedder())


def test_slices_show_the_wrong_answers_on_which_annotators_agree_most() -> None:
    """For the report, with the plausibilities; the heat map is of labels by who predicts."""
    found = judged(
        panel("a", "no", "no", "yes", one="yes"), panel("b", "no", "no", one="yes"), panel("c", "yes", "yes")
    )
    worst = found.parts["slices"][0]
    assert (worst["slice"], worst["figure"]["value"]) == ("voted label = no, predicted by one", 0.0)
    assert [example["detail"] for example in worst["examples"]] == [
        "b: plausibilities no 1.00",
        "a: plausibilities no 0.67, yes 0.33",
    ]
    heat_map = found.parts["heat_map"]
    assert (heat_map["rows"], heat_map["columns"]) == (["no", "yes"], ["one", "majority_label"])
    assert heat_map["cells"][1][0] is None


def test_the_command_reads_records_and_writes_the_same_file_twice(tmp_path: Path) -> None:
    """`orchestrator eval uncertain DATA --trust T`: golden again; tied labels stand in a list of their own."""
    data = tmp_path / "records.jsonl"
    data.write_text(json.dumps(ROW))
    for name in ("a.json", "b.json"):
        arguments = ["uncertain", str(data), "--trust", "20", "--seed", "42", "--json", str(tmp_path / name)]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text())["ua_accuracy"]["expert"]["value"] == pytest.approx(
        0.856, abs=0.03
    )


def test_the_command_writes_a_report(tmp_path: Path) -> None:
    """Slices and heat map are drawn; several levels of trust are told apart."""
    data = tmp_path / "records.jsonl"
    data.write_text("\n".join(json.dumps({**ROW, "id": str(n)}) for n in range(3)))
    arguments = ["uncertain", str(data), "--trust", "1", "--trust", "5", "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "report" / "report.html").stat().st_size > 1000


@needs_shared
def test_varierr_annotators_disagree() -> None:
    """Measured: a person agrees with what most others said in six of ten cases, hardly more than a constant."""
    found = judge_uncertain([open_dataset(f"varierr:{SHARED / 'lewidi3'}")], progress=silent)
    assert figures(found)["certainty"].n == 438
    assert 0.55 < figures(found)["accuracy.annotators"].value < 0.63
    assert 0.53 < figures(found)["accuracy.majority_label"].value < 0.62
    assert figures(found)["ua_accuracy.majority_label"].value < figures(found)["accuracy.majority_label"].value
