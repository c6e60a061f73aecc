"""Reading a corpus."""

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.experts.retriever.corpus import read_corpus


def corpus_file(folder: Path, content: bytes) -> Path:
    """A corpus file of this content."""
    path = folder / "c.jsonl"
    path.write_bytes(content)
    return path


def test_documents_become_entries_with_their_titles(tmp_path: Path) -> None:
    """Specified: a short document is one passage; it is searched with its title, and quoted without."""
    path = corpus_file(tmp_path, b'{"id": "a", "title": "T", "text": " Body. "}\n\n{"id": "b", "text": "Bare."}\n')
    first, second = read_corpus(path).entries
    assert (first.text, first.searchable, first.start, first.end) == ("Body.", "T\nBody.", 1, 6)
    assert (second.text, second.searchable) == ("Bare.", "Bare.")


def test_a_long_document_becomes_several_entries_of_it(tmp_path: Path) -> None:
    """Specified: each passage knows where in its document it stands."""
    text = "A sentence of some length. " * 100
    entries = read_corpus(corpus_file(tmp_path, b'{"id": "a", "text": "%s"}' % text.encode())).entries
    assert len(entries) > 2
    assert {entry.document.id for entry in entries} == {"a"}
    assert all(text[entry.start : entry.end] == entry.text for entry in entries)


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    """Specified: file and line, all at once."""
    path = corpus_file(
        tmp_path,
        b'{"id": "a", "text": "fine"}\n{"id": "b"\n["c"]\n{"id": 7, "text": "x"}\n{"id": "d", "text": " "}\n'
        b'{"id": "a", "text": "again"}\n{"id": "e", "title": null, "text": "\xff"}',
    )
    with pytest.raises(ConfigError) as caught:
        read_corpus(path)
    places = [problem.removeprefix(f"{path}:").split(":")[0] for problem in caught.value.problems]
    assert places == ["2", "3", "4", "5", "6", "7"]
    assert "line 1" in caught.value.problems[4]


def test_a_missing_file_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    """Ours: with the path that was tried."""
    with pytest.raises(ConfigError) as caught:
        read_corpus(tmp_path / "none.jsonl")
    assert caught.value.problems == (f"{tmp_path / 'none.jsonl'}: No such file or directory",)


def test_the_digest_follows_the_content_alone(tmp_path: Path) -> None:
    """Specified: layout and further keys do not change an index, titles and texts do."""
    plain = read_corpus(corpus_file(tmp_path, b'{"id": "a", "title": "T", "text": "x"}')).digest
    laid_out = b'\xef\xbb\xbf{"text":"x", "id":"a", "title":"T", "more": 1}\r\n\r\n'
    assert read_corpus(corpus_file(tmp_path, laid_out)).digest == plain
    assert read_corpus(corpus_file(tmp_path, b'{"id": "a", "title": "U", "text": "x"}')).digest != plain
