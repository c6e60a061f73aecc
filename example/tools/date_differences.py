"""How far one date is from another: days, weeks, months, years, weekdays, ages."""

from __future__ import annotations

import re
from datetime import date

from calendar_steps import Span, day_of, elapsed, long_text, weekdays_between
from date_answers import DateAnswer, DateKind
from date_questions import DATE, DateQuestion
from tool_questions import NotAnswerable

__all__ = ["age", "difference"]

_COUNTING = re.compile(
    r"\bhow\s+(?:many|long|far)\b|\b(?:difference|between|number\s+of|count|until|till|since|days|weeks|months|years)\b"
)
_TO_DATE = re.compile(r"\b(?:until|till|til|to|before|left|away)\b")
_FROM_DATE = re.compile(r"\b(?:since|ago|passed|from|after)\b")
_WEEKDAYS = re.compile(r"\b(?:week|business|working|work)\s?days?\b")


def age(asked: DateQuestion) -> DateAnswer | None:
    """How old someone born on one date is on another, or today."""
    if not asked.dates or not re.search(r"\bhow\s+old\b|\bborn\b|\bage\b", asked.text):
        return None
    asked.refuse_other_numbers()
    if len(asked.dates) > 2 or asked.span:  # noqa: PLR2004 - birth and one other day
        raise NotAnswerable("an age needs a date of birth and at most one other date")
    before, born, _ = asked.text.partition("born")
    birth_index = min(before.count(DATE), len(asked.dates) - 1) if born else 0
    if asked.dates[birth_index].of_year is not None:
        raise NotAnswerable("an age needs the year of birth")
    birth = asked.day(birth_index)
    at = asked.today.taken() if len(asked.dates) == 1 else asked.day(1 - birth_index, "next")
    if at < birth:
        raise NotAnswerable(f"{long_text(at)} is before the birth on {long_text(birth)}")
    span = elapsed(birth, at)
    old = f"{span.years} year{'' if span.years == 1 else 's'} old"
    return _measured(birth, at, f"someone born on {long_text(birth)} is {old} on {long_text(at)} ({span})", kind="age")


def difference(asked: DateQuestion) -> DateAnswer | None:
    """How long it is from one date to another, in the unit that the question names, else in days."""
    if not _COUNTING.search(asked.text) or asked.span or not 1 <= len(asked.dates) <= 2:  # noqa: PLR2004 - from, to
        return None
    asked.refuse_other_numbers()
    asked.refuse_day_names()
    ends = _ends(asked)
    if ends is None:
        return None
    start, end = sorted(ends)
    between = f"from {long_text(start)} to {long_text(end)}"
    if _WEEKDAYS.search(asked.text):
        count = weekdays_between(start, end)
        said = f"{count:,} weekday{'' if count == 1 else 's'} (Monday to Friday) from {long_text(start)} up to and not "
        return _measured(start, end, f"{said}including {long_text(end)}")
    return _measured(start, end, f"{_in_asked_unit(asked.text, start, end)} {between}")


def _ends(asked: DateQuestion) -> tuple[date, date] | None:
    """The two dates, one of which may be today."""
    if len(asked.dates) == 2:  # noqa: PLR2004 - from, to
        years = [phrase.exact.year for phrase in asked.dates if phrase.exact is not None]
        first, second = (
            day_of(years[0], *phrase.of_year) if phrase.of_year and years else asked.day(index)
            for index, phrase in enumerate(asked.dates)
        )
        return first, second
    if _TO_DATE.search(asked.text):
        return asked.today.taken(), asked.day(0, "next")
    if _FROM_DATE.search(asked.text):
        return asked.day(0, "last"), asked.today.taken()
    return None


def _in_asked_unit(text: str, start: date, end: date) -> str:
    days = (end - start).days
    span = elapsed(start, end)
    if re.search(r"\byears?\b", text):
        return str(span)
    if re.search(r"\bmonths?\b", text):
        return str(Span(months=span.years * 12 + span.months, days=span.days))
    weeks = f"{days // 7:,} week{'' if days // 7 == 1 else 's'}"
    and_days = f" and {Span(days=days % 7)}" if days % 7 else ""
    if re.search(r"\bweeks?\b", text):
        return f"{weeks}{and_days}"
    return f"{Span(days=days)}{f' ({weeks}{and_days})' if days >= 14 else ''}"  # noqa: PLR2004 - worth saying in weeks


def _measured(start: date, end: date, answer: str, kind: DateKind = "difference") -> DateAnswer:
    span = elapsed(start, end)
    return DateAnswer(
        kind=kind,
        start=start,
        end=end,
        days=(end - start).days,
        weekdays=weekdays_between(start, end),
        years=span.years,
        months=span.months,
        days_beyond_months=span.days,
        answer=answer,
    )
