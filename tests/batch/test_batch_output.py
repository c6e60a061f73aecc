"""The file of answers says what has been answered, whatever happened to who wrote it."""

from pathlib import Path

import orjson
import pytest

from orchestrator.batch.output import Answer, opened
from orchestrator.errors import RunError


def ids(file: Path) -> list[str]:
    return [orjson.loads(line)["custom_id"] for line in file.read_bytes().splitlines()]


def test_a_line_that_was_not_written_whole_is_cut_off(tmp_path: Path) -> None:
    """Its request is asked again; the lines before it stay."""
    file = tmp_path / "out.jsonl"
    with opened(file) as output:
        output.add(Answer(custom_id="a", status=200, body=b'{"x": 1}'))
        output.add(Answer(custom_id="b", status=200, body=b'{"x": 2}'))
    file.write_bytes(file.read_bytes()[:-5])
    with opened(file) as output:
        assert output.done == {"a": 200}
        output.add(Answer(custom_id="b", status=200, body=b'{"x": 3}'))
    assert ids(file) == ["a", "b"]


def test_what_failed_in_passing_is_asked_again_on_demand(tmp_path: Path) -> None:
    """A request that is wrong stays wrong."""
    file = tmp_path / "out.jsonl"
    with opened(file) as output:
        for name, status in (("a", 200), ("b", 503), ("c", 400), ("d", 0)):
            output.add(Answer(custom_id=name, status=status, error="" if status else "gone"))
    with opened(file) as output:
        assert output.done == {"a": 200, "b": 503, "c": 400, "d": 0}
    with opened(file, retry_failed=True) as output:
        assert output.done == {"a": 200, "c": 400}
    assert ids(file) == ["a", "c"]


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    """Somebody's data in the place of answers."""
    file = tmp_path / "mine.txt"
    file.write_text("my notes\n")
    with pytest.raises(RunError, match=r"mine\.txt:1: no answer of a batch"), opened(file):
        pass
    assert file.read_text() == "my notes\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(RunError, match="No such file or directory"), opened(tmp_path / "no" / "out.jsonl"):
        pass


@pytest.mark.parametrize(
    "content", [b"my only copy", b"my notes\nand more", b'{"custom_id": "a", "url": "/v1/responses"}']
)
def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Also where its last line has no end, as a torn answer has none."""
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(RunError, match="no answer of a batch"), opened(file):
        pass
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("torn", [b"{", b'{"id":"batch_req_', b'{"id":"batch_req_b","custom', b"\0\0"])
def test_whatever_a_kill_leaves_of_an_answer_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    """A few bytes, or zeros after a loss of power."""
    file = tmp_path / "out.jsonl"
    whole = Answer(custom_id="a", status=200, body=b"{}").line()
    file.write_bytes(whole + torn)
    with opened(file) as output:
        assert output.done == {"a": 200}
    assert file.read_bytes() == whole


def test_a_body_stands_there_as_it_came(tmp_path: Path) -> None:
    """Numbers of any size, any nesting; only line ends between tokens become blanks."""
    file, body = tmp_path / "out.jsonl", b'{"x": 1180591620717411303424,\r\n "y": ' + b"[" * 300 + b"]" * 300 + b"}"
    with opened(file) as output:
        output.add(Answer(custom_id="a", status=200, body=body))
    (line,) = file.read_bytes().splitlines()
    assert body.replace(b"\r\n", b"  ") in line
    assert ids(file) == ["a"]


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is told so; afterwards nothing is left of the lock."""
    file = tmp_path / "out.jsonl"
    with opened(file), pytest.raises(RunError, match="another run"), opened(file):
        pass
    with opened(file):
        pass
    assert list(tmp_path.iterdir()) == [file]
