"""Dates and lengths of time, found in a sentence. Knows no questions; what depends on today is left to the asker."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from calendar_steps import MONTHS, Span, day_of
from spoken_numbers import ORDINALS, number_at
from tool_questions import NotAnswerable

__all__ = ["MONTH_NAME", "DatePhrase", "find_dates", "find_span", "month_number"]

_FLAGS = re.IGNORECASE | re.ASCII
MONTH_NAME = rf"(?P<month>{'|'.join(rf'{month[:3]}(?:{month[3:]})?' for month in MONTHS)}|sept)\b\.?"
"""A month's name or its abbreviation, as the group `month` of a regular expression that ignores case."""

_DAY = rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?|(?P<ordinal>{'|'.join(ORDINALS)}))\b"
_YEAR = r"(?:,?\s+(?:in\s+)?(?P<year>\d{4})\b)?"
_ISO = re.compile(r"(?<![\d.])(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?![\d])", _FLAGS)
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)", _FLAGS)
_DAY_FIRST = re.compile(rf"\b(?:the\s+)?{_DAY}\s+(?:of\s+)?{MONTH_NAME}{_YEAR}", _FLAGS)
_MONTH_FIRST = re.compile(rf"\b{MONTH_NAME}\s+(?:the\s+)?{_DAY}{_YEAR}", _FLAGS)
_HOLIDAYS = {
    r"christmas\s+eve": (12, 24),
    r"christmas(?:\s+day)?|xmas": (12, 25),
    r"boxing\s+day": (12, 26),
    r"new\s+year'?s?\s+eve": (12, 31),
    r"new\s+year'?s?(?:\s+day)?": (1, 1),
    r"valentine'?s?(?:\s+day)?": (2, 14),
    r"st\.?\s+patrick'?s?\s+day": (3, 17),
    r"halloween": (10, 31),
}
_HOLIDAY = [(re.compile(rf"\b(?:{name})(?![a-z]){_YEAR}(?!')", _FLAGS), day) for name, day in _HOLIDAYS.items()]
_RELATIVE = {
    "the day after tomorrow": 2, "day after tomorrow": 2, "the day before yesterday": -2, "day before yesterday": -2,
    "tomorrow": 1, "yesterday": -1, "today": 0, "now": 0,
}  # fmt: skip
_RELATIVE_PHRASE = re.compile(rf"\b({'|'.join(_RELATIVE)})\b(?:'s)?", _FLAGS)
_SPAN_UNIT = re.compile(
    r"\s*-?(?P<weekdays>(?:week|business|working|work)\s?days?)\b|\s*-?(?P<days>days?)\b|\s*-?(?P<weeks>weeks?)\b"
    r"|\s*-?(?P<fortnights>fortnights?)\b|\s*-?(?P<months>months?)\b|\s*-?(?P<years>years?)\b",
    _FLAGS,
)
_ONE_UNIT = r"(?:day|week|fortnight|month|year)\b"
_ARTICLE = re.compile(
    rf"\ban?\s+(?={_ONE_UNIT})|(?:\bthe\s+|\b)(?={_ONE_UNIT}\s+(?:before|after|following|preceding)\b)", _FLAGS
)
_MAX_COUNT = 100_000
_ANY_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class DatePhrase:
    """A date that the characters [start, end) say: exact, or of every year, or as an offset from today.

    exact: the date itself. of_year: month and day where no year is said. from_today: days from today.
    """

    start: int
    end: int
    exact: date | None = None
    of_year: tuple[int, int] | None = None
    from_today: int | None = None


def month_number(name: str) -> int:
    """The month of a name or an abbreviation, from 1."""
    return next(number for number, month in enumerate(MONTHS, start=1) if month[:3].lower() == name[:3].lower())


def find_dates(text: str) -> list[DatePhrase]:
    """The dates in the text, from the left.

    Raises:
        NotAnswerable: a day that does not exist, or one that can be read in two ways (03/04/2025).
    """
    found: list[DatePhrase] = []
    for phrase in _candidates(text):
        if all(phrase.end <= other.start or other.end <= phrase.start for other in found):
            found.append(phrase)
    return sorted(found, key=lambda phrase: phrase.start)


def find_span(text: str) -> tuple[Span | None, str]:
    """The length of time in the text ('2 weeks and 3 days'), or none, and the text without it.

    Raises:
        NotAnswerable: a number that is not whole, or too large, or has a minus before it.
    """
    total: Counter[str] = Counter()
    rest, position = "", 0
    while position < len(text):
        counted = _counted_unit(text, position)
        if counted is None:
            rest += text[position]
            position += 1
        else:
            unit, count, position = counted
            total[unit] += count
    if not total:
        return None, rest
    days = total["days"] + 7 * total["weeks"] + 14 * total["fortnights"]
    return Span(years=total["years"], months=total["months"], days=days, weekdays=total["weekdays"]), rest


def _counted_unit(text: str, position: int) -> tuple[str, int, int] | None:
    """The unit and count of '3 weeks', 'a week' or 'the week after' at this character, and where it ends."""
    if position > 0 and text[position - 1].isalnum():
        return None
    article = _ARTICLE.match(text, position)
    number = None if article else number_at(text, position)
    end = article.end() if article else number.end if number else None
    unit = None if end is None else _SPAN_UNIT.match(text, end)
    if unit is None or unit.lastgroup is None:
        return None
    if text[position - 1 : position] == "-":
        raise NotAnswerable("a length of time has no sign; say 'before' instead of '-'")
    return unit.lastgroup, 1 if number is None else _whole(number.value), unit.end()


def _candidates(text: str) -> Iterator[DatePhrase]:
    """What may be dates, the surest reading of a place first."""
    for match in _ISO.finditer(text):
        yield _phrase(match, int(match["year"]), int(match["month"]), int(match["day"]))
    for match in _NUMERIC.finditer(text):
        yield _phrase(match, *_year_month_day(match))
    for pattern in (_DAY_FIRST, _MONTH_FIRST):
        for match in pattern.finditer(text):
            day = int(match["day"]) if match["day"] else ORDINALS[match["ordinal"].lower()]
            yield _phrase(match, _year(match), month_number(match["month"]), day)
    for pattern, (month, day) in _HOLIDAY:
        for match in pattern.finditer(text):
            yield _phrase(match, _year(match), month, day)
    for match in _RELATIVE_PHRASE.finditer(text):
        yield DatePhrase(match.start(), match.end(), from_today=_RELATIVE[match[1].lower()])


def _year(match: re.Match[str]) -> int | None:
    return int(match["year"]) if match["year"] else None


def _phrase(match: re.Match[str], year: int | None, month: int, day: int) -> DatePhrase:
    exact = day_of(_ANY_LEAP_YEAR if year is None else year, month, day)
    if year is None:
        return DatePhrase(match.start(), match.end(), of_year=(month, day))
    return DatePhrase(match.start(), match.end(), exact=exact)


def _year_month_day(match: re.Match[str]) -> tuple[int, int, int]:
    """The parts of 25/12/2025, where only one reading is a date."""
    first, second = int(match[1]), int(match[3])
    if len(match[4]) != 4:  # noqa: PLR2004 - digits of a year
        raise NotAnswerable(f"{match[0]} has a year of two digits; write it with four, as in 2025-04-03")
    year = int(match[4])
    if first > 12 or first == second:  # noqa: PLR2004 - months of a year
        return year, second, first
    if second > 12:  # noqa: PLR2004 - the same
        return year, first, second
    one, other = f"{first} {MONTHS[second - 1]} {year}", f"{second} {MONTHS[first - 1]} {year}"
    raise NotAnswerable(
        f"{match[0]} can be {one} or {other}; write it as one of these, or as {year}-{second:02}-{first:02}"
    )


def _whole(number: Fraction) -> int:
    if number.denominator != 1 or number > _MAX_COUNT:
        raise NotAnswerable(f"a length of time is a whole number here, of at most {_MAX_COUNT:,}")
    return int(number)
