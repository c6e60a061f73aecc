"""BFCL: its traps on tiny files of our own, its size on the original."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset


def function(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"Does {name}.",
        "parameters": {"type": "dict", "required": ["size"], "properties": properties},
    }


def row(identity: str, *functions: dict[str, Any], said: str = "Make it large.") -> dict[str, Any]:
    return {"id": identity, "question": [[{"role": "user", "content": said}]], "function": list(functions)}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in rows)


DRINK = function("cafe.drink", size={"type": "float"}, milk={"type": "string", "default": ""})
FOOD = function("food", size={"type": "tuple", "items": {"type": "float"}})
ANSWER = {"id": "multiple_0", "ground_truth": [{"cafe.drink": {"size": [2.5], "milk": ["", "oat"]}}]}
FILES = {
    "BFCL_v4_multiple.json": lines(row("multiple_0", DRINK, FOOD)),
    "BFCL_v4_live_relevance.json": lines(row("live_relevance_0", FOOD)),
    "BFCL_v4_irrelevance.json": lines(row("irrelevance_0", FOOD)),
    "possible_answer/BFCL_v4_multiple.json": lines(ANSWER),
}


def test_answers_name_the_right_tools(tmp_path: Path) -> None:
    """Traps: an answer's "" stays visible in gold; relevance has no answers and irrelevance no right tool."""
    dataset = open_dataset(f"bfcl:{written(tmp_path, FILES)}")
    found = {record.id: record for record in dataset.records}
    assert {identity: record.right_tools for identity, record in found.items()} == {
        "multiple_0": ("cafe.drink",),
        "live_relevance_0": None,
        "irrelevance_0": (),
    }
    record = found["multiple_0"]
    assert (record.query, record.split, record.source) == (
        "Make it large.",
        "multiple",
        f"{tmp_path}/BFCL_v4_multiple.json:1",
    )
    assert json.loads(record.gold or "") == ANSWER["ground_truth"]
    assert [tool.name for tool in record.tools] == ["cafe.drink", "food"]


def test_types_become_those_of_json_schema(tmp_path: Path) -> None:
    """Trap: Python's names at any depth, but a property that is itself called "type" is none."""
    tool = function(
        "t",
        type={"type": "dict", "properties": {"a": {"type": "list", "items": {"type": "bool"}}}},
        free={"type": "any"},
        java={"type": "HashMap", "additionalProperties": {"type": "int"}},
        odd={"type": ["string", "null"], "additionalProperties": False},
    )
    path = written(tmp_path, {"BFCL_v4_irrelevance.json": lines(row("a", tool))})
    ((spec,),) = (record.tools for record in open_dataset(f"bfcl:{path}").records)
    assert spec.parameters == {
        "type": "object",
        "required": ["size"],
        "properties": {
            "type": {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"type": "boolean"}}},
            },
            "free": {},
            "java": {"additionalProperties": {"type": "integer"}},
            "odd": {"additionalProperties": False},
        },
    }


def test_query_is_what_the_user_says_in_a_single_turn(tmp_path: Path) -> None:
    """Traps: system messages are left out and noted, conversations skipped, files of other forms too."""
    told = row("irrelevance_1", FOOD)
    told["question"][0].insert(0, {"role": "system", "content": "Be terse."})
    long = row("irrelevance_2", FOOD)
    long["question"] *= 2
    files = {
        **FILES,
        "BFCL_v4_irrelevance.json": lines(told, long),
        "BFCL_v4_multi_turn_base.json": lines({"id": "multi_turn_base_0", "involved_classes": ["A"]}),
    }
    dataset = open_dataset(f"bfcl:{written(tmp_path, files)}")
    assert [record.id for record in dataset.records] == ["irrelevance_1", "live_relevance_0", "multiple_0"]
    assert dataset.records[0].query == "Make it large."
    assert [skipped.place for skipped in dataset.skipped] == [
        f"{tmp_path}/BFCL_v4_irrelevance.json:2",
        f"{tmp_path}/BFCL_v4_multi_turn_base.json",
    ]
    assert any(note.startswith("1 queries come with a system message") for note in dataset.notes)


def test_every_malformed_line_is_named(tmp_path: Path) -> None:
    """Issue 3: file and line of each, all at once, answers too."""
    foreign = {"id": "b", "ground_truth": [{"food": {}}]}
    rows = lines(
        row("a", DRINK, FOOD),
        row("b", DRINK),
        row("c", DRINK),
        row("d", {"name": "x"}),
        row("e", DRINK, said=" "),
        {"id": "f", "question": "text", "function": []},
        {"id": "g", "question": [["text"]], "function": []},
    )
    answers = lines({"id": "a", "ground_truth": []}, foreign, foreign, {"id": "z", "ground_truth": []})
    name = "BFCL_v4_multiple.json"
    problems = problems_of(f"bfcl:{written(tmp_path, {name: rows, f'possible_answer/{name}': answers})}")
    answer = f"{tmp_path}/possible_answer/{name}"
    assert [problem.removeprefix(f"{tmp_path}/") for problem in problems] == [
        f"possible_answer/{name}:3: duplicate id 'b': it stands already at {answer}:2",
        f"{name}:1: no call in the answer at {answer}:1",
        f"{name}:2: the answer at {answer}:2 calls 'food', which is no function",
        f"{name}:3: no answer to 'c' in possible_answer",
        f"{name}:4: missing column 'description'",
        f"{name}:5: question: the user says nothing",
        f"{name}:6: question: expected a list of turns",
        f"{name}:7: messages: expected a list of objects, found a list",
        f"possible_answer/{name}:4: an answer to 'z', which is no query of this kind",
    ]


def test_malformed_answer_is_named_where_it_stands(tmp_path: Path) -> None:
    """Issue 3: a wrong column of the answers has its place in the file of answers."""
    answers = "possible_answer/BFCL_v4_multiple.json"
    path = written(tmp_path, {**FILES, answers: lines({"id": "multiple_0", "ground_truht": []})})
    assert problems_of(f"bfcl:{path}")[0] == (
        f"{path}/{answers}:1: missing column 'ground_truth' (did you mean 'ground_truht'?)"
    )


def test_kind_without_its_answers_is_an_error(tmp_path: Path) -> None:
    """Ours: only relevance and irrelevance have none."""
    name = "BFCL_v4_multiple.json"
    (problem,) = problems_of(f"bfcl:{written(tmp_path, {name: FILES[name]})}")
    assert problem.startswith(f"{tmp_path}/possible_answer: ")


def test_parameters_that_are_nested_without_end_are_refused(tmp_path: Path) -> None:
    """Ours: no recursion error."""
    deep: dict[str, Any] = {"type": "any"}
    for _ in range(300):
        deep = {"type": "dict", "properties": {"a": deep}}
    path = written(tmp_path, {"BFCL_v4_irrelevance.json": lines(row("a", function("t", a=deep)))})
    assert problems_of(f"bfcl:{path}") == [
        f"{path}/BFCL_v4_irrelevance.json:1: function: parameters are nested deeper than 100"
    ]


@settings(max_examples=120, deadline=None)
@given(files=damaged(FILES))
def test_damaged_files_raise_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("bfcl", files)


@needs_shared
def test_original_has_its_published_size() -> None:
    """The data's README: 1,053 / 200 / 16 rows, 4.0 functions each in live multiple."""
    dataset = open_dataset(f"bfcl:{SHARED}/bfcl")
    by_kind = {
        kind: [record for record in dataset.records if record.split == kind]
        for kind in ("live_multiple", "multiple", "live_relevance")
    }
    assert {kind: len(records) for kind, records in by_kind.items()} == {
        "live_multiple": 1053,
        "multiple": 200,
        "live_relevance": 16,
    }
    assert sum(len(record.tools) for record in by_kind["live_multiple"]) == 4178
    for kind, records in by_kind.items():
        expected = {0} if kind == "live_relevance" else {1}
        assert {len(record.right_tools or ()) for record in records} == expected
    assert all(record.right_tools is None for record in by_kind["live_relevance"])
    assert not dataset.skipped
