"""Answers read out of drafts, and when two are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.fusion.answers import AnswerKind, answer_of, same_answer
from routers.fusion.units import in_base_units

Sameness = bool | None


def same(one: str, other: str, kind: AnswerKind) -> Sameness:
    """None where one of them has no answer of the kind."""
    a, b = answer_of(one, kind), answer_of(other, kind)
    return None if a is None or b is None else same_answer(a, b)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("3 km", "It is 3000 m.", True),
        ("72 km/h", "Answer: 20 m/s", True),
        ("4 m^2", "40000 cm\u00b2", True),
        ("5 %", "0.05", True),
        ("5 %", "5", True),
        ("1/2", "0.5", True),
        ("12 dollars", "$12", True),
        ("20 \u00b0C", "293.15 K", True),
        ("1,000", "the total is 1000 eggs", True),
        ("18 in total", "18", True),
        ("5 kg", "5 m", False),
        ("3 km", "3 m", False),
        ("41", "42", False),
        ("1.0000000001", "1", True),
        ("no idea", "42", None),
    ],
)
def test_numbers_are_compared_with_their_units(one: str, other: str, expected: Sameness) -> None:
    """Specified: numeric with units; where only one of them has a unit, as they are written."""
    assert same(one, other, "number") is expected


@pytest.mark.parametrize(
    ("kind", "one", "other", "expected"),
    [
        ("text", "The answer is: the Eiffel Tower.", "eiffel tower", True),
        ("text", "Paris", "Rome", False),
        ("text", " ", "x", None),
        ("letter", "B) Paris", "The answer is (B).", True),
        ("letter", "Answer: C", "B", False),
        ("letter", "Paris", "B", None),
        ("set", "a, b and c", "Answer: C; B, A", True),
        ("set", "- red\n- blue", "blue and red", True),
        ("set", "red", "red, blue", False),
        ("auto", "The answer is 42", "42.0", True),
    ],
)
def test_each_kind_has_its_own_sameness(kind: AnswerKind, one: str, other: str, expected: Sameness) -> None:
    """Specified: normalised text, an option's letter, a set in any order."""
    assert same(one, other, kind) is expected


def test_code_is_compared_by_its_form() -> None:
    """Ours: comments, docstrings, layout and the names of local variables do not count; what it does counts."""
    one = "Here:\n```python\ndef f(x):\n    '''Adds.'''\n    y = x + 1  # more\n    return y\n```"
    other = "```\ndef f(x):\n  total = x+1\n  return total\n```\nDone."
    assert same(one, other, "code") is True
    assert same(one, other.replace("+1", "+2"), "code") is False
    assert same("```sql\nselect  1\n```", "```\nselect 1\n```", "code") is True
    assert same("no code", one, "code") is None
    assert answer_of("```\n" + "(" * 100_000 + "\n```", "code") is not None


def test_variables_of_others_keep_their_names() -> None:
    """A name that a function declares global or nonlocal is read elsewhere: another name is another program."""
    one = "```python\ndef f():\n    global total\n    total = 1\n```"
    assert same(one, one.replace("total", "count"), "code") is False


@given(st.text(max_size=200), st.sampled_from(["auto", "text", "number", "letter", "set", "code"]))
def test_every_answer_is_the_same_as_itself(text: str, kind: AnswerKind) -> None:
    """Whatever was said, and however odd; reading it never fails."""
    assert same(text, text, kind) is not False


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["auto", "text", "number", "letter", "set"]))
def test_sameness_has_no_direction(one: str, other: str, kind: AnswerKind) -> None:
    """For any two texts."""
    assert same(one, other, kind) is same(other, one, kind)


@pytest.mark.parametrize("word", ["", "1**", "km//", "eggs", "in", "\u00b0", "m^9999999999", "(", "__import__"])
def test_what_is_no_unit_is_none(word: str) -> None:
    """Words of the sentence, and what no parser likes."""
    assert in_base_units(3.0, word) is None
