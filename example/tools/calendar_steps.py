"""Steps on the Gregorian calendar: months and years with clamping, weekdays, ages. Knows no sentences and no clock."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from tool_questions import NotAnswerable

__all__ = [
    "MONTHS",
    "WEEKDAYS",
    "Span",
    "day_of",
    "days_in_month",
    "elapsed",
    "is_leap",
    "long_text",
    "stepped",
    "weekday_from",
    "weekdays_between",
]

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKEND = _WORKING_WEEK = WEEKDAYS.index("Saturday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time in calendar units; `weekdays` are days from Monday to Friday."""

    years: int = 0
    months: int = 0
    days: int = 0
    weekdays: int = 0

    def __neg__(self) -> Span:
        return Span(years=-self.years, months=-self.months, days=-self.days, weekdays=-self.weekdays)

    def __str__(self) -> str:
        counted = [(self.years, "year"), (self.months, "month"), (self.days, "day"), (self.weekdays, "weekday")]
        said = [f"{number:,} {unit}{'' if abs(number) == 1 else 's'}" for number, unit in counted if number]
        return " and ".join(filter(None, [", ".join(said[:-1]), *said[-1:]])) or "0 days"


def is_leap(year: int) -> bool:
    """Whether February of the year has 29 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Days of that month, from 28 to 31; months count from 1."""
    return monthrange(year, month)[1]


def long_text(day: date) -> str:
    """'1 March 2024'."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def day_of(year: int, month: int, day: int) -> date:
    """The date of these numbers.

    Raises:
        NotAnswerable: there is no such day.
    """
    try:
        return date(year, month, day)
    except ValueError:
        name = MONTHS[month - 1] if 1 <= month <= len(MONTHS) else f"month {month}"
        raise NotAnswerable(f"there is no {day} {name} {year} in this calendar") from None


def stepped(start: date, span: Span) -> tuple[date, bool]:
    """The day that many years and months, then days, then weekdays after the start, and whether it was clamped.

    Clamped: where the month that is reached has no such day (31 August and 18 months), its last day is taken.

    Raises:
        NotAnswerable: outside the years 1 to 9999.
    """
    months = start.year * 12 + start.month - 1 + span.years * 12 + span.months
    year, month = divmod(months, 12)
    try:
        last = days_in_month(year, month + 1)
        day = date(year, month + 1, min(start.day, last)) + timedelta(days=span.days)
        return _weekdays_on(day, span.weekdays), start.day > last
    except (ValueError, OverflowError):
        raise NotAnswerable(
            "that date lies outside the years 1 to 9999, which is as far as this calendar goes"
        ) from None


def elapsed(start: date, end: date) -> Span:
    """Whole years, whole months and days from the start to a day not before it."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if stepped(start, Span(months=months))[0] > end:
        months -= 1
    days = (end - stepped(start, Span(months=months))[0]).days
    return Span(years=months // 12, months=months % 12, days=days)


def weekdays_between(start: date, end: date) -> int:
    """Days from Monday to Friday, counted from the start up to and not including the end."""
    weeks, rest = divmod((end - start).days, 7)
    return weeks * 5 + sum((start.weekday() + offset) % 7 < _WEEKEND for offset in range(rest))


def weekday_from(start: date, weekday: int, *, forward: bool, including: bool) -> date:
    """The nearest day of that weekday (Monday is 0) after or before the start, or on it where that is included."""
    distance = (weekday - start.weekday()) % 7 if forward else (start.weekday() - weekday) % 7
    if distance == 0 and not including:
        distance = 7
    return stepped(start, Span(days=distance if forward else -distance))[0]


def _weekdays_on(day: date, count: int) -> date:
    """The day that many days from Monday to Friday later, or earlier for a negative count."""
    if count == 0:
        return day
    one = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += one
        left -= day.weekday() < _WEEKEND
        if left >= _WORKING_WEEK and day.weekday() < _WEEKEND:
            day += (left // _WORKING_WEEK) * 7 * one
            left %= _WORKING_WEEK
    return day
