"""What is read out of an expert's words: every rule with its cases, and nothing where no rule applies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.fusion.extraction import last_number, letter_of, number_alone, plain, said_text, short_answer

OPTIONS = ("Paris", "Rome", "Berlin", "A dog")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Answer: B", "B"),
        ("I think it is A at first. Answer: D. Thanks", "D"),
        ("**Answer:** B", "B"),
        ("Answer: **C**", "C"),
        ("answer: b", "B"),
        ("Answer:\nB", "B"),
        ("The answer is (C).", "C"),
        ("the answer is C because it is.", "C"),
        ("Final Answer: The final answer is B", "B"),
        ("so \\boxed{C}", "C"),
        ("$\\boxed{\\text{C}}$", "C"),
        ("Answer: Rome", "B"),
        ("Answer: B.\n\nAnswer: unclear", "B"),
        ("B) Rome", "B"),
        ("(B)", "B"),
        ("B. Rome is the capital", "B"),
        ("C", "C"),
        ("berlin.", "C"),
    ],
)
def test_a_chosen_letter_is_found_where_it_is_announced_leads_or_is_spelled_out(text: str, letter: str) -> None:
    """The forms that models give; the last announcement counts."""
    assert letter_of(text, OPTIONS) == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I think Berlin or Rome.",
        "Bob said so",
        "Answer: Z",
        "Answer: I",
        "the answer is a",
        "A bird flew",
        "Answer -",
    ],
)
def test_no_letter_is_guessed(text: str) -> None:
    """A letter out of range, an article, a letter in a word or two options named are no choice."""
    assert letter_of(text, OPTIONS) is None


def test_an_article_behind_the_announcement_is_read_with_its_words() -> None:
    """Option D is "A dog" here: the letter A is not meant."""
    assert letter_of("The answer is A dog", OPTIONS) == "D"
    assert letter_of("The answer is A dog", ("x", "y")) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17% of 4310 = 732.7", 732.7),
        ("5 miles = 8.04672 kilometres", 8.04672),
        ("median = 15.5 (n = 6: 4, 8, 15, 16, 23, 42)", 15.5),
        ("8 km (5 miles)", 8),
        ("(5)", 5),
        ("it costs $1,234.50.", 1234.5),
        ("10,000,000 people", 10_000_000),
        ("it is -5", -5),
        ("\u22127 degrees", -7),
        ("5-3 = 2", 2),
        ("- 2 apples", 2),
        ("-$5", -5),
        ("3/4", 0.75),
        ("a third, 1/3 exactly", 1 / 3),
        (".5", 0.5),
        ("1e5", 100_000),
        ("5km", 5),
        ("x = 3.", 3),
        ("#### 1,319", 1319),
        ("\\boxed{42} in 7 steps", 42),
        ("Answer: 5 km in 3 hours", 5),
        ("Answer: 5\nThat took 3 steps", 5),
    ],
)
def test_the_number_that_a_text_ends_up_with(text: str, number: float) -> None:
    """Announced, else the last outside brackets; units, currency, per cent and separators do not count."""
    assert last_number(text) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize("text", ["", "none", "H2O", "v1.2.3", "1/0", "9" * 400])
def test_what_is_no_number(text: str) -> None:
    """Digits inside words and versions, a division by zero, and a length that no question has as its answer."""
    assert last_number(text) is None


@pytest.mark.parametrize(
    ("gold", "number"),
    [("18", 18), ("1,234", 1234), ("$5", 5), ("12.5%", 12.5), (" -2 ", -2), ("3/4", 0.75)]
    + [(other, None) for other in ("8 km", "", "$", "%", "abc", "2024-01-01", "1 2")],
)
def test_a_number_alone_has_a_currency_or_per_cent_sign_at_most(gold: str, number: float | None) -> None:
    """A unit's word makes it a text: 8 km is not 8 miles."""
    assert number_alone(gold) == number


def test_what_is_said_stands_behind_the_last_announcement() -> None:
    """Or is all of it; nothing is None."""
    assert said_text("Let me see. Answer: the Rhine") == "the Rhine"
    assert said_text("the Rhine ") == "the Rhine"
    assert said_text("  \n") is None


def test_comparing_ignores_case_width_punctuation_spacing_and_articles() -> None:
    """But keeps a text that is an article alone."""
    assert plain("  The  RHINE\uff0c it's! ") == "rhine it s"
    assert plain("A") == "a"


@given(st.text(max_size=60).map(lambda text: text * 20))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Ours: whatever a model says, reading it ends."""
    assert letter_of(text, OPTIONS) in {None, "A", "B", "C", "D"}
    assert last_number(text) == last_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "answer:" * 20_000,
        "answer" + " " * 100_000,
        "A" + "*" * 100_000 + "x",
        "(" * 100_000,
        "1," * 50_000,
        "- " * 50_000,
    ],
    ids=["announcements", "blanks", "stars", "brackets", "separators", "signs"],
)
def test_a_model_that_repeats_itself_does_not_take_minutes(text: str) -> None:
    """Each of these took minutes with patterns that backtrack or copies of the rest; pytest would show it."""
    assert letter_of(text, OPTIONS) is None
    last_number(text)


@pytest.mark.parametrize(
    ("texts", "short"),
    [
        (["B", "(B)", "b.", "**B**", "Answer: (B) Paris", "The answer is B. Paris", "So B: Paris\n\\boxed{B}"], "b"),
        (["42", "42.0", "The answer is 42.", "$42", "Thinking aloud at length ...\n#### 42", "**Answer:** 42"], "42"),
        (["Paris", "The answer is Paris.", "answer: paris", " PARIS! "], "paris"),
        (["C++", "Answer: C++"], "c"),
        (["", "  ", "word " * 100], None),
    ],
)
def test_short_answers_of_equal_answers_are_equal(texts: list[str], short: str | None) -> None:
    """Ours: what votes are compared by, without the options; None where there is nothing short to compare."""
    assert {short_answer(text) for text in texts} == {short}


def test_an_answer_before_empty_announcements_counts() -> None:
    """Ours: the last announcement that announces something."""
    assert short_answer("The answer is 7.\nAnswer:\n") == "7"
