"""VariErr NLI: its traps on tiny files of our own; size and soft labels on the original."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset
from eval.datasets.lines import json_document
from eval.datasets.problems import Problems

LABELS = ("entailment", "neutral", "contradiction")


def item(annotations: Mapping[str, Any], *, split: str = "dev", statement: str = "It rains.") -> dict[str, Any]:
    return {
        "text": {"context": "The street is wet.", "statement": statement},
        "annotations": annotations,
        "soft_label": {"neutral": {"0": 0.5, "1": 0.5}},
        "split": split,
    }


DEV = {"7": item({"Ann1": "neutral", "Ann3": "entailment,neutral"}), "8": item({})}
TRAIN = {"7": item({"Ann2": "contradiction"}, split="train", statement="It is dry.")}
FILES = {"VariErrNLI_dev.json": json.dumps(DEV), "VariErrNLI_train.json": json.dumps(TRAIN)}


def test_labels_are_kept_by_annotator(tmp_path: Path) -> None:
    """Trap: one person may hold several labels to be equally right; nothing is gold; unlabelled items are skipped."""
    dataset = open_dataset(f"varierr:{written(tmp_path, FILES)}")
    first, second = dataset.records
    assert first.labels == {"Ann1": ("neutral",), "Ann3": (("entailment", "neutral"),)}
    assert (first.query, first.options, first.gold) == (
        "Context: The street is wet.\nStatement: It rains.",
        LABELS,
        None,
    )
    assert first.source == f"{tmp_path}/VariErrNLI_dev.json[7]"
    assert [(record.id, record.split) for record in (first, second)] == [("dev-7", "dev"), ("train-7", "train")]
    assert [skipped.place for skipped in dataset.skipped] == [f"{tmp_path}/VariErrNLI_dev.json[8]"]


def test_other_files_beside_the_splits_are_not_read(tmp_path: Path) -> None:
    """Ours: the original has one about the annotators."""
    written(tmp_path, {**FILES, "VariErrNLI_annotators_meta.json": "{}"})
    assert len(open_dataset(f"varierr:{tmp_path}").records) == 2


def test_id_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    """Trap: a JSON parser keeps the last of two equal keys, and says nothing."""
    twice = f'{{"7": {json.dumps(DEV["7"])}, "7": {json.dumps(DEV["7"])}}}'
    path = written(tmp_path, {"VariErrNLI_dev.json": twice}) / "VariErrNLI_dev.json"
    assert problems_of(f"varierr:{path}") == [f"{path}[7]: duplicate key '7'"]


def test_every_malformed_item_is_named(tmp_path: Path) -> None:
    """Issue 3: an unknown label and a missing column are named with their place, all at once."""
    items = {
        "a": item({"Ann1": "entailement"}),
        "b": item({"Ann1": "neutral,neutral"}),
        "c": item({"Ann1": ["neutral"]}),
        "d": {"text": {"context": "x"}},
        "e": 7,
    }
    path = written(tmp_path, {"VariErrNLI_dev.json": json.dumps(items)}) / "VariErrNLI_dev.json"
    assert problems_of(f"varierr:{path}") == [
        f"{path}[a]: annotations: unknown label 'entailement' (did you mean 'entailment'?)",
        f"{path}[b]: annotations: a label twice by one annotator in 'neutral,neutral'",
        f"{path}[c]: Ann1: expected text, found a list",
        f"{path}[d]: missing column 'annotations'",
        f"{path}[e]: expected an object",
    ]


@pytest.mark.parametrize("content", ["[]", '{"a": ' + "[" * 1000 + "]" * 1000 + "}", '{"a": ' + "9" * 5000 + "}"])
def test_json_that_is_no_table_of_items_is_an_error(tmp_path: Path, content: str) -> None:
    """Ours: a list, one nested too deep, one with a number too long to check."""
    path = written(tmp_path, {"VariErrNLI_dev.json": content}) / "VariErrNLI_dev.json"
    assert problems_of(f"varierr:{path}")


@settings(max_examples=80, deadline=None)
@given(files=damaged(FILES))
def test_damaged_files_raise_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("varierr", files)


@needs_shared
def test_original_has_its_published_size() -> None:
    """The data's README: train 388, dev 50, up to four annotators; 4 ids stand in both, with other statements."""
    records = open_dataset(f"varierr:{SHARED}/lewidi3").records
    assert [sum(record.split == split for record in records) for split in ("train", "dev")] == [388, 50]
    assert max(len(record.labels) for record in records) == 4
    assert len({record.id.partition("-")[2] for record in records}) == len(records) - 4
    assert len({record.query for record in records}) == len(records)


@needs_shared
def test_soft_labels_follow_from_what_is_kept() -> None:
    """The original's `soft_label`: for each label the share of annotators that gave it, rounded."""
    path = SHARED / "lewidi3" / "VariErrNLI_dev.json"
    items = json_document(path, Problems())
    for record in open_dataset(f"varierr:{path}").records:
        soft = items[record.id.removeprefix("dev-")]["soft_label"]
        for label in LABELS:
            given = [{group} if isinstance(group, str) else {*group} for (group,) in record.labels.values()]
            share = sum(label in labels for labels in given) / len(given)
            assert share == pytest.approx(soft[label]["1"], abs=0.006)
