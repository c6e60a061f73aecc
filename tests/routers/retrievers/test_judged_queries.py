"""Files of queries whose relevant documents are known."""

from pathlib import Path

import pytest

from routers.errors import TrainingError
from routers.retrievers.judged import JudgedQuery, judged_sha256, query_folds, read_judged


def test_lists_and_grades_are_read_and_what_is_not_relevant_is_left_out(tmp_path: Path) -> None:
    """Specified: `relevant` is a list of ids or an object of grades; `source` may be missing."""
    path = tmp_path / "judged.jsonl"
    path.write_text(
        '{"query": "one", "relevant": ["a", "b"], "source": "x"}\n\n'
        '{"query": "two", "relevant": {"a": 2, "b": 0}, "further": 1}\n'
    )
    one, two = read_judged(path)
    assert one == JudgedQuery(query="one", relevant={"a": 1, "b": 1}, source="x")
    assert two == JudgedQuery(query="two", relevant={"a": 2})
    assert judged_sha256([one, two]) != judged_sha256([two, one])


def test_every_line_that_is_none_is_told_with_its_place(tmp_path: Path) -> None:
    """Bad input is told at once, never skipped."""
    path = tmp_path / "judged.jsonl"
    lines = (
        "no json", "[]", '{"query": " ", "relevant": ["a"]}', '{"query": "q", "relevant": []}',
        '{"query": "q", "relevant": [1]}', '{"query": "q", "relevant": {"a": -1}}',
        '{"query": "q", "relevant": {"a": 0}}',
        '{"query": "q", "relevant": ["a"], "source": 3}',
    )  # fmt: skip
    path.write_text("\n".join(lines))
    with pytest.raises(TrainingError) as caught:
        read_judged(path)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [f"{path}:{n}" for n in range(1, 9)]
    path.write_text("")
    with pytest.raises(TrainingError, match="no queries"):
        read_judged(path)
    with pytest.raises(TrainingError, match="missing"):
        read_judged(tmp_path / "missing")


def test_folds_go_by_the_text() -> None:
    """The same query, whatever its case and spacing, is on one side."""
    folds = query_folds(["A  query", "a query", "another"], folds=5, seed=0)
    assert folds[0] == folds[1]
    assert set(query_folds([str(number) for number in range(99)], folds=5, seed=0).tolist()) == set(range(5))
