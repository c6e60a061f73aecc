"""Reading rows: what is malformed is named with its file and line, all of it, and nothing else is ever raised."""

import gzip
import re
from pathlib import Path

import pytest

from eval.datasets.dataset import DataError
from eval.datasets.lines import csv_rows, files_of, json_document, json_lines, json_list, stem_of, text_of
from eval.datasets.lines import read as read_content
from eval.datasets.problems import Problems


def problems_of(problems: Problems) -> list[str]:
    with pytest.raises(DataError) as caught:
        problems.check()
    return caught.value.problems


def written(folder: Path, content: bytes, name: str = "rows") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_gzip_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    """Ours: a packed file without .gz and a plain file with it both read."""
    packed = written(tmp_path, gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'), "packed.jsonl")
    plain = written(tmp_path, b'\xef\xbb\xbf{"a": 3}\n\n', "plain.jsonl.gz")
    problems = Problems()
    rows = [*json_lines(packed, problems), *json_lines(plain, problems)]
    problems.check()
    assert [(row.place, row["a"]) for row in rows] == [(f"{packed}:1", 1), (f"{packed}:2", 2), (f"{plain}:1", 3)]


def test_truncated_gzip_is_named_with_the_line_it_breaks_in(tmp_path: Path) -> None:
    """Issue 3: a truncated gzip has a place; its readable beginning is not passed off as the whole."""
    rows = b"".join(b'{"a": %d}\n' % number for number in range(5000))
    path = written(tmp_path, gzip.compress(rows)[:-200])
    problems = Problems()
    assert list(json_lines(path, problems)) == []
    (line,) = problems_of(problems)
    match = re.fullmatch(re.escape(str(path)) + r":(\d+): broken gzip: it ends before its end mark", line)
    assert match
    assert 1 < int(match[1]) <= 5000


def test_damaged_gzip_is_a_problem(tmp_path: Path) -> None:
    """Ours: a wrong checksum, and bytes after the end that are no padding."""
    packed = bytearray(gzip.compress(b'{"a": 1}\n'))
    for content in (bytes(packed[:-8]) + b"12345678", bytes(packed) + b"rest"):
        problems = Problems()
        assert read_content(written(tmp_path, content), problems).data == b""
        assert "broken gzip" in problems_of(problems)[0]


def test_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: a small file cannot fill the memory."""
    monkeypatch.setattr("eval.datasets.lines.MAX_BYTES", 1000)
    problems = Problems()
    read_content(written(tmp_path, gzip.compress(bytes(100_000))), problems)
    assert "unpacks to more than 1000 bytes" in problems_of(problems)[0]


def test_every_malformed_json_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    """Issue 3: malformed JSON, a value that is no object, invalid UTF-8 and NaN, each with its line."""
    path = written(tmp_path, b'{"a": 1}\n{"a": \n[1]\n{"a": "\xff"}\n{"a": NaN}\n{"a": 2}\n')
    problems = Problems()
    assert [row["a"] for row in json_lines(path, problems)] == [1, 2]
    found = problems_of(problems)
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in found] == ["2", "3", "4", "5"]
    assert "expected an object, found a list" in found[1]
    assert "not utf-8: byte 0xff at column 8" in found[2]


def test_more_than_twenty_problems_are_counted(tmp_path: Path) -> None:
    """Ours: twenty lines and how many more."""
    problems = Problems()
    list(json_lines(written(tmp_path, b"{\n" * 33), problems))
    found = problems_of(problems)
    assert len(found) == 21
    assert found[-1] == "… and 13 more"


def test_problem_is_one_printable_line() -> None:
    """Ours: what a hostile file holds cannot draw on the terminal."""
    problems = Problems()
    problems.add("file:1", "bad \x1b[31m\nname \udc80" + "x" * 1000)
    (line,) = problems_of(problems)
    assert line.isprintable()
    assert len(line) < 330


def test_csv_rows_stand_at_the_line_they_begin_on(tmp_path: Path) -> None:
    """Ours: quoted cells run over lines, rows end in either way, empty lines are none."""
    path = written(tmp_path, b'text,category\r\n"one\ntwo",a\n\nthree,b\r\n')
    problems = Problems()
    rows = list(csv_rows(path, problems, columns=["text"]))
    problems.check()
    assert [(row.place, row["text"]) for row in rows] == [(f"{path}:2", "one\ntwo"), (f"{path}:5", "three")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"txet,category\na,b\n", "1: missing column 'text' (did you mean 'txet'?)"),
        (b"text,text\na,b\n", "1: column 'text' stands twice"),
        (b"", "1: is empty"),
        (b"text,b\n1,2\n3\n4,5,6\n", "3: expected 2 cells, found 1"),
        (b'text,b\n1,2\n"3,4\n', "3: malformed CSV: unexpected end of data"),
        (b"text,b\n1,2\n3,\xc3\n", "3: not utf-8: byte 0xc3 at column 3"),
    ],
)
def test_malformed_csv_has_a_place(tmp_path: Path, content: bytes, expected: str) -> None:
    """Issue 3: a wrong column and a broken row are named with file and line."""
    path = written(tmp_path, content)
    problems = Problems()
    list(csv_rows(path, problems, columns=["text"]))
    assert problems_of(problems)[0] == f"{path}:{expected}"


def test_csv_cell_may_be_longer_than_the_parsers_default(tmp_path: Path) -> None:
    """Ours: a model's answer of 200 KB is no error."""
    problems = Problems()
    (row,) = csv_rows(written(tmp_path, b"text\n" + b"x" * 200_000), problems, columns=["text"])
    assert len(row.text("text")) == 200_000


def test_json_list_places_its_items_by_index(tmp_path: Path) -> None:
    """Ours: items of one JSON document have no line of their own; what is no object is named."""
    path = written(tmp_path, b'[{"a": 1}, 2]')
    problems = Problems()
    assert [row.place for row in json_list(path, problems)] == [f"{path}[0]"]
    assert problems_of(problems) == [f"{path}[1]: expected an object, found 2"]


@pytest.mark.parametrize("content", [b"", b"{", b'\n\n{"a" 1}', b"\xff", b"[" * 5000])
def test_malformed_json_document_is_one_problem(tmp_path: Path, content: bytes) -> None:
    """Ours: an empty, cut, nested or undecodable document is named once."""
    problems = Problems()
    assert json_document(written(tmp_path, content), problems) is None
    assert problems.count == 1


def test_other_encodings_are_read(tmp_path: Path) -> None:
    """Ours: old collections are latin-1."""
    problems = Problems()
    assert text_of(written(tmp_path, b"caf\xe9"), problems, encoding="latin-1") == "café"
    problems.check()


def test_getters_say_what_they_expected(tmp_path: Path) -> None:
    """Ours: each wrong value is one problem at its row, and the next row is read."""
    path = written(tmp_path, b'{"text": 1, "id": "", "list": [1], "number": "x", "truth": true, "object": []}\n')
    problems = Problems()
    (row,) = json_lines(path, problems)
    asked = [
        (row.text, "text"),
        (row.text, "txt"),
        (row.identity, "id"),
        (row.texts, "list"),
        (row.number, "number"),
        (row.number, "truth"),
        (row.row, "object"),
        (row.rows, "list"),
    ]
    for get, column in asked:
        with problems.at(row.place):
            get(column)
    assert [line.removeprefix(f"{path}:1: ") for line in problems_of(problems)] == [
        "text: expected text, found 1",
        "missing column 'txt' (did you mean 'text'?)",
        "id: is empty",
        "list: expected a list of texts, found a list",
        "number: expected a number, found 'x'",
        "truth: expected a number, found true or false",
        "object: expected an object, found a list",
        "list: expected a list of objects, found a list",
    ]
    assert row.rows("object") == []


def test_folder_without_the_files_and_path_that_is_not_there(tmp_path: Path) -> None:
    """Ours: both say what was looked for; a file is taken whatever its name."""
    file = written(tmp_path, b"", "x.csv.gz")
    assert files_of(tmp_path, "*.csv", "*.csv.gz") == [file]
    assert files_of(file, "*.jsonl") == [file]
    assert stem_of(file) == "x"
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            files_of(path, "*.jsonl")
