"""The `describe_numbers` tool: statistics of the numbers in a sentence, exact where they can be. Knows no MCP."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import floor

from decimal_text import exact_decimal
from figures import Figure, figure_of, root_figure
from number_lists import listed_numbers
from pydantic import Field
from tool_questions import Answer, NotAnswerable, plain_question

__all__ = ["QUARTILE_METHOD", "NumberSummary", "describe_numbers"]

QUARTILE_METHOD = "linear interpolation between the closest ranks (Hyndman and Fan's type 7, as QUARTILE.INC)"

_MAX_CHARACTERS = 60
_MAX_SHOWN = 20
_UNKNOWN = re.compile(
    r"\b(percentiles?|deciles?|geometric|harmonic|weighted|trimmed|skew\w*|kurtosis|correlat\w*|regression"
    r"|z[- ]?scores?|absolute deviation|standard error|confidence|moving|cumulative|root mean square)\b",
    re.IGNORECASE,
)
_ASKED = {
    "mean": r"mean|average|avg",
    "median": r"median",
    "mode": r"modes?|most\s+(?:common|frequent)",
    "standard deviation": r"standard\s+deviations?|std\.?\s*dev\w*|st\.?\s*dev\w*|stdevs?|std|sd",
    "variance": r"variances?|var",
    "interquartile range": r"interquartile\s+range|iqr",
    "range": r"(?<!interquartile )range|spread",
    "quartiles": r"quartiles?|q1|q3",
    "minimum": r"min(?:imum)?|smallest|lowest|least",
    "maximum": r"max(?:imum)?|largest|highest|biggest|greatest",
    "sum": r"sum|total",
    "count": r"count",
}


class NumberSummary(Answer):
    """Descriptive statistics; decimals have all their digits but for the fields that `rounded` names."""

    numbers: list[str] = Field(description="the numbers as they were understood, in the order given")
    count: int = Field(description="how many numbers")
    sum: str = Field(description="their sum")
    mean: str = Field(description="their arithmetic mean")
    median: str = Field(description="the middle one, or the mean of the middle two")
    modes: list[str] = Field(
        description="the most frequent values; empty where all different values are equally frequent"
    )
    minimum: str = Field(description="the least")
    maximum: str = Field(description="the greatest")
    range: str = Field(description="maximum minus minimum")
    variance_population: str = Field(description="mean squared distance from the mean (divisor n)")
    variance_sample: str | None = Field(description="the same with divisor n - 1; null for one number")
    standard_deviation_population: str = Field(description="square root of the population variance")
    standard_deviation_sample: str | None = Field(description="square root of the sample variance; null for one number")
    lower_quartile: str = Field(description="a quarter of the way through the sorted numbers")
    upper_quartile: str = Field(description="three quarters of the way through the sorted numbers")
    interquartile_range: str = Field(description="upper minus lower quartile")
    quartile_method: str = Field(default=QUARTILE_METHOD, description="how quartiles between two numbers are placed")
    rounded: list[str] = Field(description="fields whose decimals are rounded, to 16 significant digits")


def describe_numbers(sentence: str) -> NumberSummary:
    """The statistics of the numbers in the sentence; its line starts with those that the sentence names.

    Raises:
        NotAnswerable: there are no numbers in it, or no clear list, or it asks for a statistic that is not known.
    """
    text = plain_question(sentence)
    if unknown := _UNKNOWN.search(text):
        raise NotAnswerable(f"{unknown[0]!r} is not known here; known are {', '.join(_ASKED)}")
    numbers = listed_numbers(text)
    figures = _figures(numbers)
    modes = [figure_of(mode) for mode in _modes(numbers)]
    shown = [_given(number) for number in numbers]
    return NumberSummary.model_validate(
        {
            "numbers": shown,
            "count": len(numbers),
            "modes": [mode.full for mode in modes],
            "rounded": [name for name, figure in figures.items() if not figure.exact],
            "variance_sample": None,
            "standard_deviation_sample": None,
            **{name: figure.full for name, figure in figures.items()},
            "answer": f"{_asked_line(text, figures, modes, len(numbers))} ({_list_line(shown)})",
        }
    )


def _given(number: Fraction) -> str:
    """A number of the question: all its digits, or 1/3, unless either is long."""
    text = exact_decimal(number) or str(number)
    return text if len(text) <= _MAX_CHARACTERS else figure_of(number).short


def _figures(numbers: Sequence[Fraction]) -> dict[str, Figure]:
    """The statistics by the name of their field; those of a sample are missing for one number."""
    ordered, total = sorted(numbers), sum(numbers, Fraction(0))
    mean = total / len(numbers)
    squares = sum(((number - mean) ** 2 for number in numbers), Fraction(0))
    lower, upper = _quantile(ordered, Fraction(1, 4)), _quantile(ordered, Fraction(3, 4))
    figures = {
        "sum": figure_of(total),
        "mean": figure_of(mean),
        "median": figure_of(_quantile(ordered, Fraction(1, 2))),
        "minimum": figure_of(ordered[0]),
        "maximum": figure_of(ordered[-1]),
        "range": figure_of(ordered[-1] - ordered[0]),
        "variance_population": figure_of(squares / len(numbers)),
        "standard_deviation_population": root_figure(squares / len(numbers)),
        "lower_quartile": figure_of(lower),
        "upper_quartile": figure_of(upper),
        "interquartile_range": figure_of(upper - lower),
    }
    if len(numbers) > 1:
        figures["variance_sample"] = figure_of(squares / (len(numbers) - 1))
        figures["standard_deviation_sample"] = root_figure(squares / (len(numbers) - 1))
    return figures


def _quantile(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _modes(numbers: Sequence[Fraction]) -> list[Fraction]:
    counted = Counter(numbers)
    most = max(counted.values())
    modes = sorted(number for number, times in counted.items() if times == most)
    return [] if len(modes) == len(counted) > 1 else modes


def _asked_line(text: str, figures: dict[str, Figure], modes: Sequence[Figure], count: int) -> str:
    """What the sentence names, in its order; without a name, the usual ones."""
    found = {name: re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE) for name, pattern in _ASKED.items()}
    named = sorted((match.start(), name) for name, match in found.items() if match)
    names = [name for _, name in named] or ["mean", "median", "standard deviation", "minimum", "maximum"]
    return ", ".join(_said(name, figures, modes, count) for name in names)


def _said(name: str, figures: dict[str, Figure], modes: Sequence[Figure], count: int) -> str:
    if name == "count":
        return f"count = {count}"
    if name == "mode":
        return f"mode = {' and '.join(mode.short for mode in modes)}" if modes else "no mode (all equally frequent)"
    if name == "quartiles":
        quartiles = (figures[field].equation for field in ("lower_quartile", "median", "upper_quartile"))
        return ", ".join(f"Q{number} {equal}" for number, equal in enumerate(quartiles, start=1))
    field = name.replace(" ", "_")
    if field in figures:
        return f"{name} {figures[field].equation}"
    population, sample = figures[f"{field}_population"], figures.get(f"{field}_sample")
    of_sample = "" if sample is None else f"{sample.equation} (sample), "
    return f"{name} {of_sample}{population.equation} (population)"


def _list_line(numbers: Sequence[str]) -> str:
    more = f", and {len(numbers) - _MAX_SHOWN} more" if len(numbers) > _MAX_SHOWN else ""
    return f"n = {len(numbers)}: {', '.join(numbers[:_MAX_SHOWN])}{more}"
