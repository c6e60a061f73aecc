"""JSONL files: documents by line."""

from pathlib import Path

import pytest

from orchestrator.experts.retriever.corpus import Entry
from orchestrator.experts.retriever.files import UnreadableFile, read

JSONL = Path("c.jsonl")


def test_lines_become_documents() -> None:
    """Specified: further keys, blank lines, a mark of the encoding and line ends of any kind do not matter."""
    first, second = read(
        JSONL, b'\xef\xbb\xbf{"id": "a", "title": " T ", "text": " Body. "}\r\n\r\n{"text":"Bare.","id":"b","more":1}'
    )
    assert (first.id, first.title, first.text) == ("a", "T", " Body. ")
    assert (second.id, second.title, second.text) == ("b", "", "Bare.")


def test_a_passage_is_searched_with_its_title_and_quoted_without() -> None:
    """Specified: it often lacks its subject without."""
    [document] = read(JSONL, b'{"id": "a", "title": "T", "text": " Body. "}')
    entry = Entry(document, 1, 6)
    assert (entry.text, entry.searchable) == ("Body.", "T\nBody.")


def test_every_problem_is_reported_with_its_line() -> None:
    """Specified: all at once; bytes that are not UTF-8 are a problem of their line."""
    with pytest.raises(UnreadableFile) as caught:
        read(
            JSONL,
            b'{"id": "a", "text": "fine"}\n{"id": "b"\n["c"]\n{"id": 7, "text": "x"}\n{"id": "d", "text": " "}\n'
            b'{"id": "a", "text": "again"}\n{"id": "e", "title": null, "text": "\xff"}',
        )
    assert caught.value.lines == (2, 3, 4, 5, 6, 7)
    assert "line 1" in caught.value.problems[4]
