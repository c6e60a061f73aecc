"""What an artifact keeps of what it learned from: enough to know it again, no text."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from routers.artifact import LESSONS, check, load_lessons, save
from routers.errors import ArtifactError
from routers.examples import Example
from routers.lessons import Lessons, line_key, text_key
from routers.mapping.graded import Grade, Graded
from routers.trained import Trained


def line(query: str | None = "What is 2 + 2?", **changes: object) -> Graded:
    whole = Graded(query=query, category="sums", outcomes={"a": Grade(1.0, 0.5), "b": Grade(0.0)}, source="here")
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_the_same_query_is_known_again_in_another_case_and_spacing() -> None:
    """As everywhere; another one is not."""
    assert text_key("  What IS\n2 + 2? ") == text_key("what is 2 + 2?") != text_key("what is 2 + 3?")


def test_a_graded_query_is_the_same_when_all_its_grades_are() -> None:
    """Where it stands does not matter, nor the order of the experts."""
    other = line("what is  2 + 2?", source="there", outcomes={"b": Grade(0.0), "a": Grade(1.0, 0.5)})
    assert line_key(other) == line_key(line())
    for changed in (line(category=None), line(outcomes={"a": Grade(1.0, 0.5)}), line(None)):
        assert line_key(changed) != line_key(line())


def test_no_text_is_kept() -> None:
    """Neither of examples nor of graded queries; a grade of a whole category has none."""
    lessons = Lessons.of([Example("my secret plan", "tales")]).with_graded([line("my secret sum"), line(None)])
    stored = lessons.as_json()
    assert b"secret" not in stored
    assert lessons.texts == {text_key("my secret plan"), text_key("my secret sum")}
    assert Lessons.from_json(stored) == lessons


def test_training_keeps_them_and_the_artifact_has_them(
    trained: Trained, examples: list[Example], tmp_path: Path
) -> None:
    """Each example with its category, hashed like the other files."""
    save(trained, tmp_path / "router", embedder="minilm")
    assert load_lessons(tmp_path / "router") == Lessons.of(examples)
    assert LESSONS in check(tmp_path / "router").files


def test_an_artifact_without_them_says_so(trained: Trained, tmp_path: Path) -> None:
    """As those from before."""
    save(replace(trained, lessons=None), tmp_path / "router", embedder="minilm")
    assert load_lessons(tmp_path / "router") is None
    check(tmp_path / "router")


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_lessons_that_were_touched_are_refused(
    trained: Trained, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """By whoever reads them, and by the check of the whole."""
    save(trained, tmp_path / "router", embedder="minilm")
    spoil(tmp_path / "router" / LESSONS)
    for reader in (load_lessons, check):
        with pytest.raises(ArtifactError, match=LESSONS):
            reader(tmp_path / "router")


def test_what_is_no_lessons_is_an_error() -> None:
    """Of another format, or no JSON."""
    for content in (b"", b"[]", b'{"format": 2}', b'{"more": 1}'):
        with pytest.raises(ArtifactError):
            Lessons.from_json(content)
