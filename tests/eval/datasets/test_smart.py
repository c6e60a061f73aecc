"""The SMART collections: their traps on tiny files of our own, their sizes on the originals."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset
from eval.datasets.dataset import Document

CRAN = {
    "cran.all.1400": (
        ".I 1\n.T\nwings\nof cloth .\n.A\na. maker\n.B\njournal\n.W\nwings of cloth .\n  they bend\n.A\nin wind .\n"
        ".I 2\n.T\nsails .\n.A\n.B\n.W\n"
    ),
    "cran.qry": ".I 001\r\n.W\r\nwhat bends\r\n.I 004\r\n.W\r\nwhat sails\r\nfar\r\n",
    "cranqrel": "1 1 2 \n2 2 -1\n2 1 5\n",
}
CISI: dict[str, str | bytes] = {
    "CISI.ALL": (
        ".I 1\r\n.T \r\nCaf\xe9s\r\n.A \r\nOne\r\n.A\r\nTwo\r\n.W  \r\n   Of reading.\r\n.X\r\n1\t5\t1\r\n"
        ".I 2\r\n.T\r\nLists\r\n.W\r\nOf books.\r\n.K \r\nshelves\r\n.C \r\n3.1\r\n.X\r\n2\t5\t2\r\n"
    ).encode("latin-1"),
    "CISI.QRY": (
        ".I 1\r\n.T\r\nReaders\r\n.A\r\nNobody\r\n.W\r\nWho reads?\r\n.B\r\n(A, 1)\r\n\r\n.I 2\r\n.W\r\nWhy?\r\n"
    ),
    "CISI.REL": "     1      2\t0\t0.000000\r\n",
}
CACM = {
    "cacm.all": (
        ".I 1\n.T\nSorting\n.W\nBy merging.\n.B\nMay\n.K\nlists, order\n.N\nentered\n.X\n1\t5\t1\n.I 2\n.T\nA title\n"
    ),
    "query.text": ".I 1\n.W\n How to sort?\n.N\n 1. Somebody\n \n.I 2\n.W\n Whose?\n.A\nHers\n",
    "qrels.text": "01 1  0 0\n02 2  0 0\n",
}


def test_cran_queries_are_named_by_position_and_grades_are_binary(tmp_path: Path) -> None:
    """Trap: `.I 004` is query 2; grades run both ways, with a -1 among them."""
    dataset = open_dataset(f"smart:{written(tmp_path, CRAN)}")
    assert [(record.id, record.query) for record in dataset.records] == [("1", "what bends"), ("2", "what sails\nfar")]
    assert [[(one.document, one.relevance) for one in record.passages] for record in dataset.records] == [
        [("1", 1)],
        [("2", 1), ("1", 1)],
    ]
    assert dataset.records[1].source == f"{tmp_path}/cran.qry:4"


def test_tag_inside_the_words_does_not_end_them(tmp_path: Path) -> None:
    """Trap: an `.A` in the middle of a CRAN document's sentence; a document without words stays."""
    dataset = open_dataset(f"smart:{written(tmp_path, CRAN)}")
    assert dict(dataset.documents) == {
        "1": Document("1", "wings of cloth .", "wings of cloth .\n  they bend\nin wind ."),
        "2": Document("2", "sails .", ""),
    }


def test_cisi_is_latin_1_with_spaces_behind_tags_and_queries_with_titles(tmp_path: Path) -> None:
    """Traps: encoding, `.T ` and `.W  `, several authors, T and W of a query, queries that nobody judged."""
    dataset = open_dataset(f"smart:{written(tmp_path, CISI)}")
    assert dict(dataset.documents) == {
        "1": Document("1", "Caf\xe9s", "Of reading."),
        "2": Document("2", "Lists", "Of books.\nshelves"),
    }
    (record,) = dataset.records
    assert (record.id, record.query) == ("1", "Readers\nWho reads?")
    (skipped,) = dataset.skipped
    assert skipped.place == f"{tmp_path}/CISI.QRY:11"


def test_cacm_documents_have_keywords_and_its_judgements_leading_zeros(tmp_path: Path) -> None:
    """Traps: K belongs to the text; `01` is query 1; who asked is no part of a query."""
    dataset = open_dataset(f"smart:{written(tmp_path, CACM)}")
    assert dataset.documents["1"].text == "By merging.\nlists, order"
    assert dataset.documents["2"] == Document("2", "A title", "")
    assert [(record.id, record.query) for record in dataset.records] == [("1", "How to sort?"), ("2", "Whose?")]


def test_files_may_be_packed_and_the_documents_be_named(tmp_path: Path) -> None:
    """Ours: as the files lie in the evaluation data."""
    files = {f"{name}.gz": gzip.compress(content.encode()) for name, content in CACM.items()}
    written(tmp_path, files)
    assert len(open_dataset(f"smart:{tmp_path / 'cacm.all.gz'}").records) == 2


def test_every_malformed_line_is_named(tmp_path: Path) -> None:
    """Issue 3: file and line of each, all at once."""
    files = {
        "cacm.all": "stray\n.W\n.I 1\nstray\n.T\nA\n.Q\n.I x\n.I 1\n.T\nagain\n.I 3\n",
        "query.text": CACM["query.text"] + ".I 3\n.W\n.I 4\n.W\n",
        "qrels.text": "01 1 0 0\n1 1 0 0\n9 1 0 0\n1 9 0 0\n1 1 0\none 1 0 0\n3 1 0 0\n",
    }
    problems = problems_of(f"smart:{written(tmp_path, files)}")
    assert [problem.removeprefix(f"{tmp_path}/") for problem in problems] == [
        "cacm.all:1: text that belongs to no field",
        "cacm.all:2: a field .W before the first .I",
        "cacm.all:4: text that belongs to no field",
        "cacm.all:7: unknown tag .Q",
        "cacm.all:8: expected .I and a number, found '.I x'",
        f"cacm.all:9: duplicate id '1': it stands already at {tmp_path}/cacm.all:3",
        "cacm.all:12: document '3' has no field",
        "qrels.text:2: document '1' is judged twice for query '1'",
        "qrels.text:3: judges query '9', which is not there",
        "qrels.text:4: judges document '9', which is not there",
        "qrels.text:5: expected a query, a document and 2 more, found '1 1 0'",
        "qrels.text:6: expected a query, a document and 2 more, found 'one 1 0 0'",
        "query.text:12: query '3' has no words",
    ]


def test_collection_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    """Issue 3: a truncated gzip has a place; a plain file that lost its end shows in the judgements."""
    packed = gzip.compress(CACM["cacm.all"].encode())[:-9]
    files = {name: content for name, content in CACM.items() if name != "cacm.all"}
    written(tmp_path / "packed", {**files, "cacm.all.gz": packed})
    written(tmp_path / "plain", {**files, "cacm.all": CACM["cacm.all"][:60]})
    assert "broken gzip" in problems_of(f"smart:{tmp_path / 'packed'}")[0]
    assert problems_of(f"smart:{tmp_path / 'plain'}")[0].endswith("judges document '2', which is not there")


def test_folder_of_no_collection_says_what_is_known(tmp_path: Path) -> None:
    """Ours: so does one that lacks a file."""
    assert "cran.all.1400, CISI.ALL, cacm.all" in problems_of(f"smart:{tmp_path}")[0]
    written(tmp_path, {"cacm.all": CACM["cacm.all"]})
    assert problems_of(f"smart:{tmp_path}") == [f"{tmp_path}: holds no file query.text"]


@settings(max_examples=120, deadline=None)
@given(files=damaged(CRAN) | damaged(CISI) | damaged(CACM))
def test_damaged_files_raise_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("smart", files)


@needs_shared
@pytest.mark.parametrize(
    ("name", "documents", "queries", "judgements", "unjudged"),
    [("cran", 1400, 225, 1837, 0), ("cisi", 1460, 76, 3114, 36), ("cacm", 3204, 52, 796, 12)],
)
def test_collection_has_its_published_size(
    name: str, documents: int, queries: int, judgements: int, unjudged: int
) -> None:
    """The data's README; and nothing of a document is lost but what its fields are not."""
    dataset = open_dataset(f"smart:{SHARED}/ir/{name}")
    assert (len(dataset.documents), len(dataset.records)) == (documents, queries)
    assert sum(len(record.passages) for record in dataset.records) == judgements
    assert len(dataset.skipped) == unjudged
    empty = [document.id for document in dataset.documents.values() if not document.title + document.text]
    assert empty == (["471", "995"] if name == "cran" else [])
