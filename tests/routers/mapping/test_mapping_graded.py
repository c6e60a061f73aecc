"""Graded outcomes from a file: what is read, and what is said of lines that cannot be."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.errors import TrainingError
from routers.mapping.graded import MOST_PROBLEMS, FusedGrade, Grade, graded_sha256, read_graded

GOOD = '{"category": "sums", "outcomes": {"a": {"score": 1, "cost_usd": 0.5}, "b": {"score": 0.25}}}'


def written(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_lines_are_read_with_their_places(tmp_path: Path) -> None:
    """Specified: a category, or a query; further keys, blank lines and a byte order mark are passed over."""
    query = '{"id": "7", "query": "two and two", "category": null, "outcomes": {"b": {"score": 0, "latency_s": 1}}}'
    path = written(tmp_path / "grades.jsonl", b"\xef\xbb\xbf" + GOOD.encode(), "", query)
    graded = read_graded(path)
    first, second = graded.lines
    assert (first.category, first.query, first.source) == ("sums", None, f"{path}:1")
    assert first.outcomes == {"a": Grade(1.0, 0.5), "b": Grade(0.25)}
    assert (second.category, second.query, second.source) == (None, "two and two", f"{path}:3")
    assert graded.sha256 == graded_sha256(path)


def test_answers_and_whole_fuse_plans_are_read_beside_the_grades(tmp_path: Path) -> None:
    """Specified: an empty answer is one that was not given; one fuse plan or a list of them, with its own cost."""
    own = '"a": {"score": 1, "answer": "B"}, "b": {"score": 0, "answer": ""}'
    one = '{"experts": ["a", "b"], "score": 0.5}'
    two = '{"experts": ["b", "a"], "verdict": "c", "score": 1, "cost_usd": 0.25}'
    path = written(
        tmp_path / "grades.jsonl",
        f'{{"query": "x", "outcomes": {{{own}, "fuse": {one}}}}}',
        f'{{"query": "y", "outcomes": {{"fuse": [{one}, {two}]}}}}',
    )
    first, second = read_graded(path).lines
    plain = FusedGrade(experts=("a", "b"), verdict=None, grade=Grade(0.5))
    assert first.outcomes == {"a": Grade(1.0, None, "B"), "b": Grade(0.0, None, "")}
    assert (first.fused, dict(second.outcomes)) == ((plain,), {})
    assert second.fused == (plain, FusedGrade(experts=("b", "a"), verdict="c", grade=Grade(1.0, 0.25)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "not JSON (Expecting value at column 1)"),
        (b"\xff", "not UTF-8"),
        ("[" * 100_000, "not JSON that can be read"),
        ("[]", "not an object; expected {"),
        ('{"outcomes": {"a": {"score": 1}}}', "neither 'query' nor 'category'; give one of them"),
        ('{"query": " ", "outcomes": {"a": {"score": 1}}}', "'query' is no text"),
        ('{"category": 5, "outcomes": {"a": {"score": 1}}}', "'category' is no text"),
        ('{"query": "x"}', "'outcomes' is missing or empty"),
        ('{"query": "x", "outcomes": {}}', "'outcomes' is missing or empty"),
        ('{"query": "x", "outcomes": {"a": 1}}', "outcomes.a is not an object"),
        ('{"query": "x", "outcomes": {"a": {}}}', "outcomes.a.score must be a number from 0 to 1"),
        ('{"query": "x", "outcomes": {"a": {"score": 1.5}}}', "outcomes.a.score must be a number from 0 to 1"),
        ('{"query": "x", "outcomes": {"a": {"score": NaN}}}', "outcomes.a.score must be a number from 0 to 1"),
        ('{"query": "x", "outcomes": {"a": {"score": true}}}', "outcomes.a.score must be a number from 0 to 1"),
        (
            '{"query": "x", "outcomes": {"a": {"score": 1, "cost_usd": -1}}}',
            "outcomes.a.cost_usd must be a number, 0 or more",
        ),
        ('{"query": "x", "outcomes": {"a": {"score": 1, "answer": 5}}}', "outcomes.a.answer must be a text"),
        ('{"query": "x", "outcomes": {"fuse": 1}}', "outcomes.fuse is not an object"),
        ('{"query": "x", "outcomes": {"fuse": [{"score": 1}]}}', "outcomes.fuse[0].experts must be two or more"),
        (
            '{"query": "x", "outcomes": {"fuse": {"experts": ["a", "a"], "score": 1}}}',
            "outcomes.fuse.experts must be two or more different experts",
        ),
        (
            '{"query": "x", "outcomes": {"fuse": {"experts": ["a", "b"], "verdict": 1, "score": 1}}}',
            "outcomes.fuse.verdict is no expert",
        ),
        ('{"query": "x", "outcomes": {"fuse": {"experts": ["a", "b"]}}}', "outcomes.fuse.score must be a number"),
    ],
)
def test_a_malformed_line_is_told_with_its_place(line: str | bytes, said: str, tmp_path: Path) -> None:
    """Specified: file and line, and what is wrong."""
    path = written(tmp_path / "grades.jsonl", GOOD, line, GOOD)
    with pytest.raises(TrainingError) as caught:
        read_graded(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:2: {said}")


def test_no_more_problems_are_listed_than_a_person_reads(tmp_path: Path) -> None:
    """Ours: then how many are left."""
    path = written(tmp_path / "grades.jsonl", *["{}"] * (MOST_PROBLEMS + 5))
    with pytest.raises(TrainingError) as caught:
        read_graded(path)
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert caught.value.problems[-1] == "and 5 more"


def test_a_file_that_is_not_there_or_empty_is_one_problem(tmp_path: Path) -> None:
    """Ours."""
    for path, said in ((tmp_path / "none", "cannot be read"), (written(tmp_path / "empty", "", ""), "no graded")):
        with pytest.raises(TrainingError, match=said) as caught:
            read_graded(path)
        assert len(caught.value.problems) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["query", "category", "outcomes", "a", "score", "cost_usd"]), inner)
        ),
    )
)
def test_any_json_is_read_or_told_apart(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    """Ours: whatever stands on a line."""
    path = written(tmp_path_factory.getbasetemp() / "any.jsonl", json.dumps(value))
    with suppress(TrainingError):
        lines = read_graded(path).lines
        assert all(0 <= grade.score <= 1 for line in lines for grade in line.outcomes.values())
