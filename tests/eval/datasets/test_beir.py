"""BEIR's layout, as a folder and as a zip, on a tiny set of our own and on NFCorpus."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset
from eval.datasets.dataset import DataError, Document

CORPUS = "".join(
    json.dumps(row) + "\n"
    for row in (
        {"_id": "d1", "title": "Bread", "text": "Flour and water.", "metadata": {}},
        {"_id": "d2", "title": "", "text": "A loaf cools on a rack."},
        {"_id": "d3", "text": "Rye keeps for a week."},
    )
)
QUERIES = '{"_id": "q1", "text": "what is in bread"}\n{"_id": "q2", "text": "of another split"}\n'
QRELS = "query-id\tcorpus-id\tscore\r\nq1\td2\t2\r\nq1\td1\t1\r\nq1\td3\t-1\r\n"
FILES = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels/test.tsv": QRELS}
REWRITTEN = '{"_id": "d1", "title": "x", "text": "rewritten by a model"}\n'


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_folder_is_read_with_its_collection_and_graded_judgements(tmp_path: Path) -> None:
    """Ours: judged queries with all their judgements; a grade below zero is none; what is not judged is skipped."""
    dataset = open_dataset(f"beir:{written(tmp_path, FILES)}")
    (record,) = dataset.records
    assert (record.id, record.query, record.split) == ("q1", "what is in bread", "test")
    assert [(one.document, one.relevance) for one in record.passages] == [("d2", 2), ("d1", 1), ("d3", 0)]
    assert record.source == f"{tmp_path}/queries.jsonl:1"
    assert dict(dataset.documents) == {
        "d1": Document("d1", "Bread", "Flour and water."),
        "d2": Document("d2", "", "A loaf cools on a rack."),
        "d3": Document("d3", "", "Rye keeps for a week."),
    }
    (skipped,) = dataset.skipped
    assert skipped.place == f"{tmp_path}/queries.jsonl:2"
    assert "'q2'" in skipped.reason


@pytest.mark.parametrize("around", ["", "nfcorpus/"])
def test_zip_is_read_with_or_without_a_folder_around(tmp_path: Path, around: str) -> None:
    """Ours: both lie about in the field; what a Mac adds to a zip is passed over."""
    files = {around + name: content for name, content in FILES.items()} | {f"__MACOSX/{around}._queries.jsonl": "x"}
    written(tmp_path, {"set.zip": zipped(files), **FILES})
    packed = open_dataset(f"beir:{tmp_path}/set.zip")
    plain = open_dataset(f"beir:{tmp_path}")
    assert packed.documents == plain.documents
    assert [record.passages for record in packed.records] == [record.passages for record in plain.records]
    assert packed.records[0].source == f"{tmp_path}/set.zip/{around}queries.jsonl:1"


def test_corpus_that_people_wrote_is_taken(tmp_path: Path) -> None:
    """Trap: Cocktail's zip has a second corpus that a language model rewrote."""
    files = {"corpus/human.jsonl": CORPUS, "corpus/a-model.jsonl": REWRITTEN, "queries.jsonl": QUERIES}
    files["qrels/test.tsv"] = QRELS
    written(tmp_path, {"set.zip": zipped(files), **files})
    for path in (tmp_path, tmp_path / "set.zip"):
        assert open_dataset(f"beir:{path}").documents["d1"].title == "Bread"


def test_every_malformed_line_is_named(tmp_path: Path) -> None:
    """Issue 3: file and line of each, all at once."""
    written(
        tmp_path,
        {
            "corpus.jsonl": CORPUS + '{"_id": "d1", "text": "again"}\n{"_id": "d5"}\n',
            "queries.jsonl": QUERIES + '{"_id": "q3"}\nnonsense\n',
            "qrels/test.tsv": QRELS + "q1\td2\t1\nq1\td9\t1\nq9\td1\t1\nq1\td1\nq1\td2\thigh\n",
        },
    )
    problems = problems_of(f"beir:{tmp_path}")
    assert [problem.removeprefix(f"{tmp_path}/").split(": ")[0] for problem in problems] == [
        "corpus.jsonl:4",
        "corpus.jsonl:5",
        "qrels/test.tsv:5",
        "qrels/test.tsv:6",
        "qrels/test.tsv:8",
        "qrels/test.tsv:9",
        "queries.jsonl:3",
        "queries.jsonl:4",
        "qrels/test.tsv:7",
    ]
    assert "judged twice" in problems[2]
    assert "not in the corpus" in problems[3]
    assert "not in queries.jsonl" in problems[8]


@pytest.mark.parametrize("missing", sorted(FILES))
def test_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """Ours: what is missing, in a folder and in a zip."""
    files = {name: content for name, content in FILES.items() if name != missing}
    written(tmp_path, {"set.zip": zipped(files), **files})
    for path in (tmp_path, tmp_path / "set.zip"):
        (problem,) = problems_of(f"beir:{path}")
        assert problem.startswith(f"{path}: holds no {missing}")


def test_judgements_without_their_header_are_refused(tmp_path: Path) -> None:
    """Issue 3: a wrong column is an error with its place."""
    written(tmp_path, {**FILES, "qrels/test.tsv": "q1\td2\t2\n"})
    assert problems_of(f"beir:{tmp_path}")[0].startswith(f"{tmp_path}/qrels/test.tsv:1: expected the header")


def test_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: a small file cannot fill the memory."""
    monkeypatch.setattr("eval.datasets.lines.MAX_BYTES", 100)
    written(tmp_path, {"set.zip": zipped(FILES)})
    problems = problems_of(f"beir:{tmp_path}/set.zip")
    assert problems[0] == f"{tmp_path}/set.zip/corpus.jsonl:1: broken zip: it unpacks to more than 100 bytes"


def test_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    """Ours: a text, and the first half of a zip."""
    written(tmp_path, {"text.zip": "no zip", "half.zip": zipped(FILES)[:200]})
    for name in ("text.zip", "half.zip"):
        with pytest.raises(DataError, match="not a zip that can be read"):
            open_dataset(f"beir:{tmp_path}/{name}")


@settings(max_examples=80, deadline=None)
@given(files=damaged(FILES))
def test_damaged_folder_raises_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("beir", files)


@settings(max_examples=80, deadline=None)
@given(files=damaged({"set.zip": zipped(FILES)}) | st.binary(max_size=60).map(lambda data: {"set.zip": data}))
def test_damaged_zip_raises_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: zipfile has many ways to fail."""
    read_damaged("beir", files, inside="set.zip")


@needs_shared
def test_nfcorpus_has_its_published_size() -> None:
    """The data's README: 3,633 documents, 323 judged queries, 12,334 judgements with grades 1 and 2."""
    dataset = open_dataset(f"beir:{SHARED}/ir/nfcorpus.zip")
    assert (len(dataset.documents), len(dataset.records)) == (3633, 323)
    grades = [one.relevance for record in dataset.records for one in record.passages]
    assert (len(grades), set(grades)) == (12334, {1, 2})
    assert len(dataset.skipped) == 3237 - 323
