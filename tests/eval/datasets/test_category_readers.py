"""The readers of queries whose category is known, and of our own records, on small files of the same form."""

import gzip
import json
from pathlib import Path

import pytest

from eval.datasets.catalogue import open_dataset
from eval.datasets.dataset import DataError
from eval.datasets.record import Outcome, Record


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Ours: a record that is dumped and read is the same, but for its place."""
    record = Record(id="a", query="q", options=("x", "y"), gold="A", outcomes={"m": Outcome(score=0.5, cost_usd=0.1)})
    path = tmp_path / "own.jsonl"
    path.write_bytes(gzip.compress(record.model_dump_json().encode()))
    assert open_dataset(str(path)).records == (record.model_copy(update={"source": f"{path}:1"}),)


def test_wrong_columns_of_records_are_named(tmp_path: Path) -> None:
    """Issue 3: a wrong column is an error with its place and the column that was meant."""
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": "a", "qurey": "q"}\n{"id": "b", "query": "q", "outcomes": {"m": {"score": 2}}}\n')
    with pytest.raises(DataError) as caught:
        open_dataset(str(path))
    assert caught.value.problems == [
        f"{path}:1: missing column 'query'",
        f"{path}:1: unknown column 'qurey' (did you mean 'query'?)",
        f"{path}:2: outcomes.m.score: Input should be less than or equal to 1",
    ]


def test_duplicate_ids_are_named_with_both_places(tmp_path: Path) -> None:
    """Issue 3: a duplicate id is an error with both places, across files of a folder too."""
    row = '{"id": "a", "query": "q"}\n'
    (tmp_path / "1.jsonl").write_text(row)
    (tmp_path / "2.jsonl").write_text(row.replace('"a"', '"b"') + row)
    with pytest.raises(DataError) as caught:
        open_dataset(str(tmp_path))
    (line,) = caught.value.problems
    assert line == f"{tmp_path}/2.jsonl:2: duplicate id 'a': it stands already at {tmp_path}/1.jsonl:1"


def test_file_without_rows_is_an_error(tmp_path: Path) -> None:
    """Ours: nothing can be measured on nothing."""
    (tmp_path / "own.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match=r"own\.jsonl:1: is empty"):
        open_dataset(str(tmp_path / "own.jsonl"))


def test_banking77_takes_the_split_from_the_files_name(tmp_path: Path) -> None:
    """Specified: train and test, plain or packed, with the source's categories; a text in both is noted."""
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(b'text,category\nwhere?,card\n"a, b",top_up\n'))
    (tmp_path / "test.csv").write_bytes(b"text,category\nwhere?,card\n")
    dataset = open_dataset(f"banking77:{tmp_path}")
    assert [(r.id, r.query, r.category, r.split) for r in dataset.records] == [
        ("test-0", "where?", "card", "test"),
        ("train-0", "where?", "card", "train"),
        ("train-1", "a, b", "top_up", "train"),
    ]
    assert dataset.notes == (
        "1 rows repeat the query of an earlier one: split by its text",
        "1 queries stand in more than one split",
    )


CLINC = {"train": [["fly", "translate"]], "oos_train": [["stocks", "oos"]], "test": [["pay", "bill"]]}


def test_clinc_rows_out_of_scope_have_no_category(tmp_path: Path) -> None:
    """Specified: intent as category; "oos" is none, and its rows stand in the same splits."""
    (tmp_path / "data_full.json").write_text(json.dumps(CLINC))
    dataset = open_dataset(f"clinc:{tmp_path}")
    assert [(r.id, r.category, r.gold, r.in_scope, r.split) for r in dataset.records] == [
        ("train-0", "translate", "translate", True, "train"),
        ("oos_train-0", None, None, False, "train"),
        ("test-0", "bill", "bill", True, "test"),
    ]
    with pytest.raises(DataError, match=r"no domains\.json"):
        open_dataset(f"clinc-domains:{tmp_path}")


def test_clinc_domains_are_categories_on_request(tmp_path: Path) -> None:
    """Ours: the coarse task has a name of its own; an intent without a domain is named."""
    (tmp_path / "data_full.json").write_text(json.dumps(CLINC))
    (tmp_path / "domains.json").write_text(json.dumps({"travel": ["translate"], "banking": ["bill"]}))
    dataset = open_dataset(f"clinc-domains:{tmp_path / 'data_full.json'}")
    found = [(r.category, r.gold) for r in dataset.records]
    assert found == [("travel", "translate"), (None, None), ("banking", "bill")]
    (tmp_path / "domains.json").write_text(json.dumps({"travel": ["translate"], "banking": ["bills"]}))
    with pytest.raises(DataError, match=r"\[test\]\[0\]: intent 'bill' has no domain \(did you mean 'bills'\?\)"):
        open_dataset(f"clinc-domains:{tmp_path}")


def test_malformed_clinc_is_named_by_split_and_index(tmp_path: Path) -> None:
    """Ours: a row that is no pair, and a split that is none."""
    (tmp_path / "data_full.json").write_text(json.dumps({"train": [["a"], ["a", "b"]], "tset": [], "val": {}}))
    with pytest.raises(DataError) as caught:
        open_dataset(f"clinc:{tmp_path}")
    file = tmp_path / "data_full.json"
    assert caught.value.problems == [
        f"{file}[train][0]: expected [text, intent]",
        f"{file}: unknown split 'tset' (did you mean 'test'?)",
        f"{file}[val]: expected a list of [text, intent]",
    ]
