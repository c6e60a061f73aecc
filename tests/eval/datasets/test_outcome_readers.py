"""The readers of graded models, on small files of the same form: every known trap."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from eval.datasets.catalogue import open_dataset
from eval.datasets.dataset import DataError
from eval.datasets.readers.zeroeval import extract, number
from eval.datasets.record import Draft, Outcome


def json_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def asked(identity: int, **changed: Any) -> dict[str, Any]:
    """A row of MMLU-Pro's choices."""
    row = {"question_id": identity, "category": "law", "src": "x", "question": "Which?", "options": ["a", "b", "c"]}
    return {**row, "answer": "B", "pred": {"right": "B", "wrong": "A", "silent": None}, **changed}


def test_mmlu_pro_null_is_wrong_and_missing_is_not_asked(tmp_path: Path) -> None:
    """Specified: null is a draft without answer and score 0; a missing key is neither draft nor outcome."""
    rows = [asked(7), asked(8, pred={"right": "J"})]
    (tmp_path / "preds.jsonl").write_text(json_lines(rows))
    dataset = open_dataset(f"mmlu-pro:{tmp_path / 'preds.jsonl'}")
    first, second = dataset.records
    assert (first.id, first.category, first.gold, first.options) == ("7", "law", "B", ("a", "b", "c"))
    assert first.drafts == {"right": Draft(answer="B"), "wrong": Draft(answer="A"), "silent": Draft(answer=None)}
    assert first.outcomes == {"right": Outcome(score=1), "wrong": Outcome(score=0), "silent": Outcome(score=0)}
    assert second.drafts == {"right": Draft(answer="J")}
    assert second.outcomes == {"right": Outcome(score=0)}
    assert dataset.notes == (
        "1 predictions are null: they count as wrong, not as a random guess",
        "1 rows repeat the query of an earlier one: split by its text",
    )


def test_mmlu_pro_folder_joins_choices_and_drafts(tmp_path: Path) -> None:
    """Specified: texts stand beside the choices; drafts of an absent question are left out with a reason."""
    (tmp_path / "a_preds.jsonl").write_text(json_lines([asked(7), asked(8)]))
    drafts = [{"question_id": i, "drafts": {"right": {"pred": "B", "text": "So (B)."}}} for i in (8, 9)]
    (tmp_path / "b_drafts.jsonl").write_text(json_lines(drafts))
    dataset = open_dataset(f"mmlu-pro:{tmp_path}")
    assert [r.drafts["right"].text for r in dataset.records] == [None, "So (B)."]
    assert [(s.place, "'9'" in s.reason) for s in dataset.skipped] == [(f"{tmp_path}/b_drafts.jsonl:2", True)]
    alone = open_dataset(f"mmlu-pro:{tmp_path / 'b_drafts.jsonl'}")
    assert [(r.id, r.query, r.gold, r.outcomes) for r in alone.records] == [("8", "", None, {}), ("9", "", None, {})]
    assert alone.records[0].drafts == {"right": Draft(text="So (B).", answer="B")}
    assert "without questions" in alone.notes[0]


def test_mmlu_pro_contradictions_are_errors(tmp_path: Path) -> None:
    """Ours: a gold letter beyond the options, drafts that differ from the choices, drafts that stand twice."""
    (tmp_path / "a.jsonl").write_text(json_lines([asked(7, answer="D"), asked(8)]))
    drafts = {"question_id": 8, "drafts": {"right": {"pred": "C", "text": "So (C)."}}}
    (tmp_path / "b.jsonl").write_text(json_lines([drafts, drafts]))
    with pytest.raises(DataError) as caught:
        open_dataset(f"mmlu-pro:{tmp_path}")
    assert caught.value.problems == [
        f"{tmp_path}/b.jsonl:2: duplicate id '8': it stands already at {tmp_path}/b.jsonl:1",
        f"{tmp_path}/a.jsonl:1: answer: 'D' is the letter of none of the 3 options",
        f"{tmp_path}/a.jsonl:2: pred of 'right' is not the one at {tmp_path}/b.jsonl:1",
    ]


def test_mmlu_pro_result_files_of_the_original_are_joined(tmp_path: Path) -> None:
    """Specified: a list a model, the model named by the file; a question on which they differ is left out."""
    for model, pred, gold in (("weak", None, "B"), ("strong", "B", "C")):
        rows = [asked(7, pred=pred, model_outputs="It is."), asked(8, pred=pred, answer=gold)]
        (tmp_path / f"model_outputs_{model}_5shots.json").write_text(json.dumps(rows))
    dataset = open_dataset(f"mmlu-pro:{tmp_path}")
    (record,) = dataset.records
    assert record.drafts == {"strong": Draft(text="It is.", answer="B"), "weak": Draft(text="It is.", answer=None)}
    assert record.outcomes == {"strong": Outcome(score=1), "weak": Outcome(score=0)}
    assert [s.reason.split(" differs")[0] for s in dataset.skipped] == ["answer of '8'"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"reasoning": "1 + 1", "answer": "2"}', "2"),
        ('```json\n{"answer": 2125}\n```', "2125"),
        ('{"answer": "7"} no: {"answer": "$1,450,000.50"}', "1450000.5"),
        ('{"reasoning": "cut {", "answer": "18 eggs, 3 a day', "18"),
        ('{"reasoning": "broken \\"answer\\": 9", "answer": "-3.0"', "-3"),
        ('{"answer": 1,234, "unit": 5}', "1234"),
        ('{"answer": null, "n": 3}', None),
        ('{"answer": "none"}', None),
        ("18", None),
        ("", None),
    ],
)
def test_zeroeval_answer_is_the_first_number_of_the_last_answer(text: str, expected: str | None) -> None:
    """Specified: the last "answer" counts, broken JSON or not, without separators and dollars."""
    assert extract(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("007", "7"), (".50", "0.5"), ("-0.0", "0"), ("2.", "2"), ("a-b -4", "-4"), ("", None)]
)
def test_numbers_are_written_one_way(text: str, expected: str | None) -> None:
    """Ours: equal numbers are equal texts."""
    assert number(text) == expected


def test_zeroeval_rows_are_graded_by_number(tmp_path: Path) -> None:
    """Specified: the gold stands behind "# "; no answer is wrong; texts are kept."""
    outputs = {"m": '{"answer": "1,000.0"}', "n": "no idea"}
    row = {"id": "g", "question": "?", "answer": "# 1,000", "outputs": outputs}
    (tmp_path / "gsm.jsonl").write_text(json_lines([row]))
    (record,) = open_dataset(f"zeroeval:{tmp_path}").records
    assert record.gold == "1000"
    assert record.drafts["m"] == Draft(text=outputs["m"], answer="1000")
    assert {expert: outcome.score for expert, outcome in record.outcomes.items()} == {"m": 1, "n": 0}


def test_zeroeval_files_of_the_original_are_joined(tmp_path: Path) -> None:
    """Specified: one list a model; the same id twice in one is an error."""
    row = {"id": "g", "question": "?", "answer": "4", "output": ['{"answer": "4"}']}
    (tmp_path / "one.json").write_text(json.dumps([row]))
    (tmp_path / "two.json").write_text(json.dumps([{**row, "generator": "second", "output": ["5"]}]))
    (record,) = open_dataset(f"zeroeval:{tmp_path}").records
    assert {expert: outcome.score for expert, outcome in record.outcomes.items()} == {"one": 1, "second": 0}
    (tmp_path / "two.json").write_text(json.dumps([{**row, "generator": "second"}] * 2))
    with pytest.raises(DataError, match=r"two\.json\[1\]: duplicate id 'g' of 'second': .*two\.json\[0\]"):
        open_dataset(f"zeroeval:{tmp_path}")


ROUTED = [{"prompt": "old", "weak": "True", "strong": "False"}, {"prompt": "new", "weak": "False", "strong": "True"}]


@pytest.mark.parametrize(
    ("data", "contaminated"),
    [
        ("mmlu/mmlu_law.csv", "mmlu_contaminated_prompts.jsonl"),
        ("mmlu/responses/mmlu_law.csv", "mmlu/contaminated_prompts.jsonl"),
        ("gsm8k_responses.csv", "gsm8k_contaminated_prompts.jsonl"),
    ],
)
def test_routellm_contaminated_prompts_are_skipped(tmp_path: Path, data: str, contaminated: str) -> None:
    """Specified: the list lies beside the file or one folder up, under our name or the original's."""
    file = tmp_path / data
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(csv_text(ROUTED))
    (tmp_path / contaminated).write_text(json_lines([{"eval_prompt": "old", "eval_idx": 0}]))
    dataset = open_dataset(f"routellm:{file}")
    (record,) = dataset.records
    assert record.query == "new"
    assert record.category == ("law" if "law" in data else None)
    assert record.outcomes == {"weak": Outcome(score=0), "strong": Outcome(score=1)}
    assert [skipped.place for skipped in dataset.skipped] == [f"{file}:2"]
    assert dataset.notes == ()


def test_routellm_responses_are_drafts_and_a_missing_list_is_noted(tmp_path: Path) -> None:
    """Ours: texts without an extracted answer; nobody is told that nothing was contaminated."""
    rows = [{**ROUTED[0], "weak_response": "w", "strong_response": "s"}]
    (tmp_path / "gsm8k_responses.csv").write_text(csv_text(rows))
    dataset = open_dataset(f"routellm:{tmp_path}")
    assert dataset.records[0].drafts == {"weak": Draft(text="w"), "strong": Draft(text="s")}
    assert "no list of contaminated prompts" in dataset.notes[0]
    (tmp_path / "gsm8k_responses.csv").write_text(csv_text([{**rows[0], "weak": "yes"}]))
    with pytest.raises(DataError, match=r"csv:2: weak: expected True or False, found 'yes'"):
        open_dataset(f"routellm:{tmp_path}")


def benched(identity: str, text: str, **changed: Any) -> dict[str, Any]:
    """A row of RouterBench with two experts."""
    row = {"": 0, "sample_id": identity, "prompt": repr([text]), "eval_name": "arc", "a": "1.0", "b": "0.0"}
    row |= {"a|model_response": "['A']", "b|model_response": "['B\\d']", "a|total_cost": "2e-05", "b|total_cost": "0.1"}
    return {**row, "oracle_model_to_route_to": "a", **changed}


def test_routerbench_solved_examples_are_stripped_and_unscored_rows_skipped(tmp_path: Path) -> None:
    """Specified: only the last block of a prompt that ends in "Answer:" is the query; NaN rows are left out."""
    shots = "Old?\nAnswer:\nA\n\nOlder?\nAnswer:\nB\n\nNew?\nAnswer:"
    rows = [
        benched("1", shots),
        benched("2", "Write a function.\n\nIt adds.", **{"b|total_cost": ""}),
        benched("3", shots, b=""),
        benched("3", shots, a="nan"),
    ]
    (tmp_path / "arc_train.csv").write_text(csv_text(rows))
    dataset = open_dataset(f"routerbench:{tmp_path}")
    assert [(r.id, r.query) for r in dataset.records] == [
        ("1", "New?\nAnswer:"),
        ("2", "Write a function.\n\nIt adds."),
    ]
    first, second = dataset.records
    assert (first.category, first.split) == ("arc", "train")
    assert first.outcomes == {"a": Outcome(score=1, cost_usd=2e-05), "b": Outcome(score=0, cost_usd=0.1)}
    assert first.drafts == {"a": Draft(text="A"), "b": Draft(text="B\\d")}
    assert second.outcomes["b"].cost_usd is None
    assert [skipped.reason for skipped in dataset.skipped] == ["no score for b", "no score for a"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"prompt": "__import__('os')"}, "prompt: expected a Python list of texts"),
        ({"prompt": "[" * 500}, "prompt: expected a Python list of texts"),
        ({"a": "0.x"}, "a: expected a number, found '0.x'"),
        ({"b|total_cost": "inf"}, "expected dollars, found inf"),
        ({"b|total_cost": "-1"}, "cost_usd"),
    ],
)
def test_malformed_routerbench_cells_are_named(tmp_path: Path, changed: dict[str, str], problem: str) -> None:
    """Ours: literals are parsed and never run; numbers are checked."""
    file = tmp_path / "x.csv"
    file.write_text(csv_text([benched("1", "q", **changed)]))
    with pytest.raises(DataError) as caught:
        open_dataset(f"routerbench:{file}")
    (line,) = caught.value.problems
    assert line.startswith(f"{file}:2: ")
    assert problem in line


def test_ulab_fractions_are_kept(tmp_path: Path) -> None:
    """Specified: a score is a share, not rounded; the cluster is no category."""
    rows = [{"question": "q", "scores": {"m": 0.25, "n": 1}, "cluster_id": 2}]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    (record,) = open_dataset(f"ulab:{tmp_path}").records
    assert record.outcomes == {"m": Outcome(score=0.25), "n": Outcome(score=1)}
    assert record.category is None
    (tmp_path / "train.json").write_text(json.dumps([{**rows[0], "scores": {"m": 1.5}}]))
    with pytest.raises(DataError, match=r"train\.json\[0\]: score: "):
        open_dataset(f"ulab:{tmp_path}")
