"""Right or wrong, by what a record knows."""

from typing import Any

import pytest

from eval.datasets import Passage, Record
from eval.grading import Came, Grade, gold_letter, grade, method_of


def record(**fields: Any) -> Record:
    return Record(**{"id": "q1", "query": "which?", **fields})


def graded(known: Record, **came: Any) -> Grade:
    return grade(known, Came(**came), general="general")


RELEVANT = (Passage(document="a", relevance=2), Passage(document="b", relevance=1), Passage(document="c", relevance=0))


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ({"gold": "B", "options": ("x", "y"), "category": "c"}, "choice"),
        ({"gold": "$1,200"}, "number"),
        ({"gold": "8 km"}, "text"),
        ({"gold": "Paris", "passages": RELEVANT}, "text"),
        ({"passages": RELEVANT, "right_tools": ("t",)}, "passages"),
        ({"right_tools": ("t",), "category": "c"}, "tool"),
        ({"category": "c", "options": ("x", "y")}, "category"),
        ({"in_scope": False}, "category"),
        ({"passages": RELEVANT[2:], "right_tools": ()}, None),
        ({}, None),
    ],
)
def test_what_a_record_knows_decides_how_it_is_graded(fields: dict[str, Any], method: str | None) -> None:
    """Gold first, then passages, tools and the category; nothing relevant is nothing to grade by."""
    assert method_of(record(**fields)) == method


def test_a_choice_is_right_by_its_letter() -> None:
    """And unread where there is none: no guess is made for it."""
    known = record(gold="B", options=("Paris", "Rome"))
    assert graded(known, text="Answer: B") == Grade(method="choice", score=1.0, answer="B", expected="B")
    assert graded(known, text="Answer: A").score == 0.0
    assert graded(known, text="who knows") == Grade(method="choice", score=0.0, answer=None, expected="B")


def test_gold_may_be_the_text_of_an_option() -> None:
    """As some sources have it; what is neither has no letter."""
    assert gold_letter(record(gold="rome", options=("Paris", "Rome"))) == "B"
    assert gold_letter(record(gold="b", options=("Paris", "Rome"))) == "B"
    assert gold_letter(record(gold="C", options=("Paris", "Rome"))) is None


@pytest.mark.parametrize(
    ("gold", "text", "score"),
    [
        ("732.7", "17% of 4310 = 732.7", 1.0),
        ("8.04672", "about 8.047 kilometres", 1.0),
        ("8.04672", "8.05 km", 0.0),
        ("10000", "10001", 0.0),
        ("10000", "10,000.0", 1.0),
        ("$5", "it is 5 dollars", 1.0),
        ("0", "0", 1.0),
        ("0", "none", 0.0),
    ],
)
def test_a_number_may_be_off_by_a_ten_thousandth_unless_it_is_whole(gold: str, text: str, score: float) -> None:
    """Rounding is forgiven, a miscount is not."""
    assert graded(record(gold=gold), text=text).score == score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("The Rhine.", 1.0),
        ("It is the river Rhine, I think", 1.0),
        ("Rhinelander", 0.0),
        ("Answer: Po", 0.0),
        ("", 0.0),
    ],
)
def test_a_text_is_right_where_its_words_stand_in_the_answer(text: str, score: float) -> None:
    """Whole words, in their order."""
    grading = graded(record(gold="Rhine"), text=text)
    assert grading.score == score
    assert (grading.answer is None) == (not text)


def test_passages_are_graded_by_the_share_of_relevant_documents_that_are_cited() -> None:
    """Recall: what is cited beside them costs nothing; documents that were judged irrelevant do not count."""
    known = record(passages=RELEVANT)
    assert graded(known, documents=("x", "b", "c")).score == 0.5
    assert graded(known, text="a and b") == Grade(method="passages", score=0.0, answer=None, expected="a, b")


def test_a_tool_is_right_when_it_is_the_expert_that_answered() -> None:
    """Any of several right ones."""
    known = record(right_tools=("hammer", "mallet"))
    assert graded(known, expert="mallet").score == 1.0
    assert graded(known, expert="saw") == Grade(method="tool", score=0.0, answer="saw", expected="hammer or mallet")


def test_a_category_is_right_when_the_query_was_sent_there() -> None:
    """What is out of scope belongs to the general one."""
    assert graded(record(category="math"), category="math").score == 1.0
    assert graded(record(category="math"), category="general").score == 0.0
    assert graded(record(in_scope=False), category="general").score == 1.0
    assert graded(record(category="math", in_scope=False), category="math").score == 0.0


def test_a_record_without_anything_to_grade_by_is_refused() -> None:
    """With its place."""
    with pytest.raises(ValueError, match="f:3: there is nothing to grade by"):
        graded(record(source="f:3"))
