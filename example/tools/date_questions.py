"""A question about dates with its dates taken out, and what its dates are. Knows no kinds of questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from calendar_steps import WEEKDAYS, Span, day_of, is_leap, stepped
from date_answers import TodaySource
from date_phrases import DatePhrase, find_dates, find_span
from tool_questions import NotAnswerable

__all__ = ["DATE", "DateQuestion", "Today", "Toward", "read_question"]

DATE = "<date>"
"""What stands in a question's text where a date stood."""

Toward = Literal["next", "last", "this year"]
"""Which of its days a date without a year is."""

_MOVING = re.compile(
    r"\b(easter|good friday|pentecost|thanksgiving|ramadan|eid|diwali|hanukk?ah|lunar new year|chinese new year"
    r"|mother'?s day|father'?s day|labou?r day|memorial day|black friday)\b"
)
_UNSUPPORTED = re.compile(
    r"\b(inclusive(?:ly)?|including|excluding|except|(?:public |bank )?holidays?|weekends?|hours?|minutes?|seconds)\b"
)


@dataclass(slots=True)
class Today:
    """What today is, who said so, and whether the answer came to depend on it."""

    day: date
    source: TodaySource
    used: bool = False

    def taken(self) -> date:
        """Today's date, for an answer that depends on it."""
        self.used = True
        return self.day


@dataclass(frozen=True, slots=True, kw_only=True)
class DateQuestion:
    """A question, lower-case, with `DATE` for each of its dates.

    span: the length of time in it. rest: the text without that.
    """

    text: str
    dates: Sequence[DatePhrase]
    span: Span | None
    rest: str
    today: Today

    def day(self, index: int, toward: Toward = "this year") -> date:
        """The date of that index; one without a year is the next or last of its kind, or this year's."""
        phrase = self.dates[index]
        if phrase.exact is not None:
            return phrase.exact
        today = self.today.taken()
        if phrase.of_year is None:
            return stepped(today, Span(days=phrase.from_today or 0))[0]
        return _in_some_year(*phrase.of_year, today=today, toward=toward)

    def refuse_other_numbers(self) -> None:
        """Refuse a number that is neither in a date nor in a length of time.

        Raises:
            NotAnswerable: there is one, and so more in the question than was understood.
        """
        found = re.search(r"[\w/.-]*\d[\w/.-]*", self.rest)
        if found is not None:
            raise NotAnswerable(f"{found[0]!r} is not understood; write dates as 2025-04-03 or 3 April 2025")

    def refuse_day_names(self) -> None:
        """Refuse a day of the week where it would be left out of account.

        Raises:
            NotAnswerable: there is one.
        """
        found = re.search(rf"\b(?:{'|'.join(WEEKDAYS).lower()})s?\b", self.text)
        if found is not None:
            raise NotAnswerable(f"{found[0]!r} is not taken into account in such a question; ask for it by itself")


def read_question(text: str, today: Today) -> DateQuestion:
    """The question with its dates and its length of time found.

    Raises:
        NotAnswerable: a date in it does not exist or has two readings; a feast that moves; a way of counting that is
            not known.
    """
    dates = find_dates(text)
    parts, position = [], 0
    for phrase in dates:
        parts += [text[position : phrase.start].lower(), DATE]
        position = phrase.end
    masked = "".join(parts) + text[position:].lower()
    if moving := _MOVING.search(masked):
        raise NotAnswerable(f"{moving[0]} moves from year to year; give its date")
    if unsupported := _UNSUPPORTED.search(masked):
        raise NotAnswerable(
            f"{unsupported[0]!r} is not understood; whole days are counted, or 'weekdays' to leave out weekends"
        )
    span, rest = find_span(masked)
    return DateQuestion(text=masked, dates=dates, span=span, rest=rest, today=today)


def _in_some_year(month: int, day: int, *, today: date, toward: Toward) -> date:
    """That day of the next or last year that has it, counted from today, or of this year."""
    years = {
        "next": range(today.year, today.year + 9),
        "last": range(today.year, today.year - 9, -1),
        "this year": range(today.year, today.year + 1),
    }[toward]
    for year in years:
        if (month, day) == (2, 29) and not is_leap(year):
            continue
        found = day_of(year, month, day)
        if (toward == "next" and found < today) or (toward == "last" and found > today):
            continue
        return found
    raise NotAnswerable(f"{today.year} has no 29 February; give a year")
