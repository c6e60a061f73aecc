"""Reading labelled queries, and making of them the set that is learned from."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.errors import TrainingError
from routers.examples import Example, distinct, examples_sha256, read_examples

some_examples = st.lists(st.builds(Example, st.text(min_size=1, max_size=5), st.just("c")), max_size=8)


def test_lines_become_examples_that_know_their_place(tmp_path: Path) -> None:
    """Blank lines, a byte order mark, Windows line ends and further keys do no harm."""
    file = tmp_path / "q.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"query": "2 + 2", "category": "math"}\r\n\r\n'
        b'{"query": "caf\xc3\xa9", "category": "food", "id": 7}\n'
    )
    read = read_examples(file)
    assert read == [Example("2 + 2", "math"), Example("café", "food")]
    assert [example.source for example in read] == [f"{file}:1", f"{file}:3"]


def test_every_malformed_line_is_reported_at_once(tmp_path: Path) -> None:
    """File and line of each, in order."""
    file = tmp_path / "q.jsonl"
    file.write_bytes(
        b'{"query": "fine", "category": "math"}\n'
        b"{not json}\n"
        b'["a", "list"]\n'
        b'{"query": "no label"}\n'
        b'{"query": "  ", "category": "math"}\n'
        b'{"query": 7, "category": "math"}\n'
        b"\xff\xfe\n"
    )
    with pytest.raises(TrainingError) as caught:
        read_examples(file)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [f"{file}:{line}" for line in range(2, 8)]


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the key of the configuration that leads to it."""
    with pytest.raises(TrainingError, match=r"none\.jsonl: cannot be read"):
        read_examples(tmp_path / "none.jsonl")


def test_same_query_with_one_label_counts_once() -> None:
    """Case and white space do not make a query another one."""
    examples = [Example("Solve  for X", "math"), Example("solve for x", "math"), Example("hello", "talk")]
    assert [example.query for example in distinct(examples)] == ["Solve  for X", "hello"]


def test_same_query_with_two_labels_is_an_error_naming_both() -> None:
    """Nobody but a person can tell which is right."""
    examples = [Example("reset it", "it", "a.jsonl:3"), Example(" Reset it", "house", "b.jsonl:9")]
    with pytest.raises(TrainingError) as caught:
        distinct(examples)
    (problem,) = caught.value.problems
    for part in ("a.jsonl:3", "b.jsonl:9", "'it'", "'house'"):
        assert part in problem


@settings(max_examples=30)
@given(some_examples, st.randoms())
def test_digest_of_a_set_ignores_order_and_duplicates(examples: list[Example], random: object) -> None:
    """The digest says whether training again would learn from something else."""
    shuffled = [*examples, *examples[:2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert examples_sha256(shuffled) == examples_sha256(examples)


def test_digest_notices_a_changed_label() -> None:
    """Queries and labels both count."""
    assert examples_sha256([Example("a", "x")]) != examples_sha256([Example("a", "y")])
