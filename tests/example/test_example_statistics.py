"""The example's statistics: what it reads in sentences, the numbers, and what it refuses."""

import statistics
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from number_statistics import describe_numbers
from tool_questions import NotAnswerable

ANSWERS = [
    ("median of 4 8 15 16 23 42", "median = 15.5 (n = 6: 4, 8, 15, 16, 23, 42)"),
    ("what is the average of 70, 80 and 95", "mean ≈ 81.66666667 (n = 3: 70, 80, 95)"),
    ("average of 1.5 2.5 and 8", "mean = 4 (n = 3: 1.5, 2.5, 8)"),
    (
        "mean and standard deviation of 3, 5, 8, 13",
        "mean = 7.25, standard deviation ≈ 4.34932945 (sample), ≈ 3.766629793 (population) (n = 4: 3, 5, 8, 13)",
    ),
    (
        "variance of 2, 4, 4, 4, 5, 5, 7, 9",
        "variance ≈ 4.571428571 (sample), = 4 (population) (n = 8: 2, 4, 4, 4, 5, 5, 7, 9)",
    ),
    ("range of -3, 5 and 8", "range = 11 (n = 3: -3, 5, 8)"),
    ("mode of 1 2 2 3 3 4", "mode = 2 and 3 (n = 6: 1, 2, 2, 3, 3, 4)"),
    ("what's the mode of 1, 2 and 3?", "no mode (all equally frequent) (n = 3: 1, 2, 3)"),
    ("sum of 1/2, 1/3", "sum ≈ 0.8333333333 (n = 2: 0.5, 1/3)"),
    ("quartiles of 1, 2, 3, 4, 5, 6, 7", "Q1 = 2.5, Q2 = 4, Q3 = 5.5 (n = 7: 1, 2, 3, 4, 5, 6, 7)"),
    ("Q1 of 1,2,3,4", "Q1 = 1.75, Q2 = 2.5, Q3 = 3.25 (n = 4: 1, 2, 3, 4)"),
    ("the interquartile range of 1, 2, 3, 4", "interquartile range = 1.5 (n = 4: 1, 2, 3, 4)"),
    ("smallest and largest of 3, -5, 8", "minimum = -5, maximum = 8 (n = 3: 3, -5, 8)"),
    ("mean of these five numbers: 1 2 3 4 5", "mean = 3 (n = 5: 1, 2, 3, 4, 5)"),
    ("the mean of the five numbers 3, 5, 8, 13 and 4", "mean = 6.6 (n = 5: 3, 5, 8, 13, 4)"),
    ("average of seven and nine", "mean = 8 (n = 2: 7, 9)"),
    ("average of $5, $7 and $9", "mean = 7 (n = 3: 5, 7, 9)"),
    ("average of 70 kg, 80 kg and 90 kg", "mean = 80 (n = 3: 70, 80, 90)"),
    ("mean of 1,200 and 1,300", "mean = 1250 (n = 2: 1200, 1300)"),
    (
        "5",
        "mean = 5, median = 5, standard deviation = 0 (population), minimum = 5, maximum = 5 (n = 1: 5)",
    ),
]
REFUSALS = {
    "mean of 3 apples and 5 oranges": "apples",
    "mean of 100,200,300": "one number",
    "mean of 1,5 2,5": "ambiguous",
    "3-5": "'-'",
    "mean of 1.5.2": "separator",
    "3 5 8 rounded to 2 decimals": "separator",
    "90th percentile of 1, 2, 3": "percentile",
    "geometric mean of 1, 2, 3": "geometric",
    "average of nothing": "no numbers",
    "": "empty",
    "1, " * 700: "2,000",
}


@pytest.mark.parametrize(("sentence", "answer"), ANSWERS)
def test_answer_leads_with_what_was_asked_for(sentence: str, answer: str) -> None:
    """Ours: the named statistics in the order of the sentence, then the numbers as understood."""
    assert describe_numbers(sentence).answer == answer


@pytest.mark.parametrize(("sentence", "needle"), REFUSALS.items())
def test_what_is_no_clear_list_is_refused_with_a_reason(sentence: str, needle: str) -> None:
    """Ours: numbers are never joined or parted by a guess."""
    with pytest.raises(NotAnswerable, match=needle):
        describe_numbers(sentence)


def test_every_statistic_is_returned_whatever_was_asked() -> None:
    """Ours: exact decimals where they end, the names of the fields where they are rounded."""
    found = describe_numbers("median of 2, 4, 4, 4, 5, 5, 7, 9")
    assert found.model_dump(exclude={"answer", "numbers", "quartile_method"}) == {
        "count": 8,
        "sum": "40",
        "mean": "5",
        "median": "4.5",
        "modes": ["4"],
        "minimum": "2",
        "maximum": "9",
        "range": "7",
        "variance_population": "4",
        "variance_sample": "4.571428571428571",
        "standard_deviation_population": "2",
        "standard_deviation_sample": "2.138089935299395",
        "lower_quartile": "4",
        "upper_quartile": "5.5",
        "interquartile_range": "1.5",
        "rounded": ["variance_sample", "standard_deviation_sample"],
    }


def test_one_number_has_no_sample_variance() -> None:
    """A sample of one says nothing of its spread."""
    found = describe_numbers("average of 7")
    assert (found.variance_sample, found.standard_deviation_sample) == (None, None)


def test_long_list_is_cut_in_the_line_and_whole_in_the_fields() -> None:
    """Ours: twenty numbers in the line for people."""
    found = describe_numbers(", ".join(str(number) for number in range(30)))
    assert found.answer.endswith("18, 19, and 10 more)")
    assert len(found.numbers) == 30


@given(st.lists(st.integers(-10_000, 10_000).map(lambda number: Fraction(number, 8)), min_size=2, max_size=12))
@settings(deadline=None)
def test_statistics_agree_with_the_standard_library(numbers: list[Fraction]) -> None:
    """The oracle is the statistics module over exact fractions."""
    found = describe_numbers(f"statistics of: {', '.join(str(float(number)) for number in numbers)}")
    lower, middle, upper = statistics.quantiles(numbers, n=4, method="inclusive")
    assert [Fraction(text) for text in found.numbers] == numbers
    assert Fraction(found.median) == statistics.median(numbers) == middle
    assert (Fraction(found.lower_quartile), Fraction(found.upper_quartile)) == (lower, upper)
    for text, expected in (
        (found.mean, statistics.mean(numbers)),
        (found.variance_population, statistics.pvariance(numbers)),
        (found.variance_sample, statistics.variance(numbers)),
    ):
        assert text is not None
        assert abs(Fraction(text) - expected) <= abs(expected) / 10**15
    assert float(found.standard_deviation_population) == pytest.approx(statistics.pstdev(numbers), rel=1e-14)
