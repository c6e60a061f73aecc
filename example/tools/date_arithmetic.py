"""The `date_math` tool: days between dates, dates before and after others, weekdays, leap years, ages. Knows no MCP.

Each kind of question has one function; the first that recognises its question answers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from calendar_steps import (
    MONTHS,
    WEEKDAYS,
    Span,
    days_in_month,
    is_leap,
    long_text,
    stepped,
    weekday_from,
)
from date_answers import DateAnswer
from date_differences import age, difference
from date_phrases import MONTH_NAME, month_number
from date_questions import DATE, DateQuestion, Today, read_question
from spoken_numbers import ORDINALS
from tool_questions import NotAnswerable, plain_question

__all__ = ["date_math"]

_GREGORIAN = date(1582, 10, 15)
_WEEKDAY = rf"(?P<weekday>{'|'.join(day.lower() for day in WEEKDAYS)})"
_NEAR_DATE = re.compile(
    rf"(?:\b(?P<nth>{'|'.join(ORDINALS)}|next|last|previous)\s+)?\b{_WEEKDAY}\s+"
    rf"(?P<on>on\s+or\s+)?(?P<side>after|following|from|since|before|preceding)\s+{DATE}"
)
_NEAR_TODAY = re.compile(rf"\b(?P<side>next|coming|this|last|previous)\s+{_WEEKDAY}\b(?!\s+(?:of|in)\b)")
_MONTH_LENGTH = re.compile(
    r"how\s+many\s+days\s+(?:(?:are|were|will|be|there|does|did|in|the|month|of)\s+)+"
    rf"{MONTH_NAME}(?:,?\s+(?:of\s+)?(?P<year>\d{{4}}))?(?:\s+(?:have|has|had))?[\s?.!]*$",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\w.-])\d{1,4}(?![\w-]|\.\d)")
_BACKWARD = re.compile(r"\b(?:before|ago|earlier|prior|subtract|minus|take|deduct|back)\b")
_FORWARD = re.compile(r"\b(?:after|from|later|in|add|plus|since|following|past|hence)\b")
_ASKS_MORE_YEARS = re.compile(r"\b(?:how\s+many|between|before|after|since|until|last|previous|which|list)\b")
_ASKS_DATE = re.compile(r"\b(?:date|days?|weekday|when|what|which|today|tomorrow|yesterday|is|was)\b")
_PART_OR_RELATION = re.compile(
    r"\b(?:before|after|from|since|until|till|between|ago|plus|minus|following|previous|next|last|end|start|beginning"
    rf"|{'|'.join(ORDINALS)})\b"
)
_ASKS_TODAY = "date day month year"
_BESIDE_TODAY = """
    a also and are be can could current do exact full get give have hello hey hi i i'd is it know like me my need now of
    on please remind right say share show tell the this to us want we week what what's whats which would you
"""


def date_math(question: str, today: str | None = None) -> DateAnswer:
    """The answer to a question about dates; `today` is YYYY-MM-DD, without it the server's date.

    Raises:
        NotAnswerable: it is no such question, or a date in it has two readings or does not exist.
    """
    asked = read_question(plain_question(question), _today(today))
    for answer_to in _KINDS:
        answer = answer_to(asked)
        if answer is not None:
            return _noted(answer, asked.today)
    raise NotAnswerable(
        "ask for the days between two dates, the date some days after or before another, a weekday, a leap year or "
        "an age, with dates as 2025-04-03 or 3 April 2025"
    )


def _today(given: str | None) -> Today:
    if given is None:
        return Today(datetime.now().astimezone().date(), "server clock")
    try:
        return Today(date.fromisoformat(given.strip()), "caller")
    except ValueError:
        raise NotAnswerable(f"today is given as {given[:40]!r}, which is not a date as YYYY-MM-DD") from None


def _noted(answer: DateAnswer, today: Today) -> DateAnswer:
    """The answer with what it rests on: today's date, and a calendar older than itself."""
    notes = ""
    days = [day for day in (answer.date, answer.start, answer.end) if day is not None]
    if days and min(days) < _GREGORIAN:
        notes += " (by the Gregorian calendar, carried back before its start on 15 October 1582)"
    if not today.used:
        return answer.model_copy(update={"answer": answer.answer + notes})
    whose = "the server's date" if today.source == "server clock" else "as given"
    notes += f" (today being {long_text(today.day)}, {whose})"
    return answer.model_copy(update={"answer": answer.answer + notes, "today": today.day, "today_from": today.source})


def _leap_year(asked: DateQuestion) -> DateAnswer | None:
    if "leap" not in asked.text:
        return None
    said, coming = _YEAR.findall(asked.text), re.search(r"\bnext\s+leap\b", asked.text)
    if asked.dates or len(said) > 1 or (_ASKS_MORE_YEARS.search(asked.text) and not coming):
        raise NotAnswerable("ask whether one year is a leap year, or for the next leap year after one")
    year = int(said[0]) if said else asked.today.taken().year
    if coming:
        year = next(later for later in range(year + 1, year + 9) if is_leap(later))
    if not date.min.year <= year <= date.max.year:
        raise NotAnswerable("this calendar has the years 1 to 9999")
    if year % 100 == 0:
        reason = "divisible by 400" if is_leap(year) else "divisible by 100 and not by 400"
    else:
        reason = "divisible by 4" if is_leap(year) else "not divisible by 4"
    answer = f"{year} is {'' if is_leap(year) else 'not '}a leap year ({reason})"
    return DateAnswer(kind="leap year", year=year, is_leap_year=is_leap(year), answer=answer)


def _month_length(asked: DateQuestion) -> DateAnswer | None:
    found = _MONTH_LENGTH.search(asked.text)
    if found is None or asked.dates:
        return None
    month = month_number(found["month"])
    year = int(found["year"]) if found["year"] else asked.today.taken().year
    if not date.min.year <= year <= date.max.year:
        raise NotAnswerable("this calendar has the years 1 to 9999")
    days = days_in_month(year, month)
    return DateAnswer(kind="length of a month", days=days, answer=f"{MONTHS[month - 1]} {year} has {days} days")


def _weekday_search(asked: DateQuestion) -> DateAnswer | None:
    near_date = _NEAR_DATE.search(asked.text)
    found = near_date or _NEAR_TODAY.search(asked.text)
    if found is None:
        return None
    asked.refuse_other_numbers()
    if asked.span or len(asked.dates) != (near_date is not None) or re.search(r"\bhow\s+(?:many|long)\b", asked.text):
        raise NotAnswerable("ask for one day of the week near one date, as in 'first Friday after 2025-01-01'")
    weekday = [day.lower() for day in WEEKDAYS].index(found["weekday"])
    forward, including, nth = _side(found) if near_date else _side_of_today(found)
    start = asked.day(0) if near_date else asked.today.taken()
    nearest = weekday_from(start, weekday, forward=forward, including=including)
    further = 7 * (ORDINALS[nth] - 1)
    day, _ = stepped(nearest, Span(days=further if forward else -further))
    side = f"{'on or ' if including else ''}{'after' if forward else 'before'}"
    ordinal = "last" if nth == "first" and not forward else nth
    return _dated(day, f"the {ordinal} {WEEKDAYS[weekday]} {side} {long_text(start)} is {long_text(day)}")


def _side(found: re.Match[str]) -> tuple[bool, bool, str]:
    """Whether to look after the date, whether it counts itself, and which one from there ('first')."""
    forward = found["side"] not in ("before", "preceding")
    including, nth = found["on"] is not None or found["side"] in ("from", "since"), found["nth"] or "first"
    if nth in ORDINALS:
        return forward, including, nth
    if (nth == "next") != forward:
        raise NotAnswerable(f"'{nth} ... {found['side']}' points both ways; say 'first ... after' or '... before'")
    return forward, including, "first"


def _side_of_today(found: re.Match[str]) -> tuple[bool, bool, str]:
    return found["side"] not in ("last", "previous"), found["side"] == "this", "first"


def _shifted(asked: DateQuestion) -> DateAnswer | None:
    if asked.span is None:
        return None
    asked.refuse_other_numbers()
    asked.refuse_day_names()
    text, back = asked.text, _BACKWARD.search(asked.text)
    if len(asked.dates) > 1 or re.search(r"\bhow\s+(?:many|long)\b", text) or not (back or _FORWARD.search(text)):
        raise NotAnswerable("ask for a length of time after or before one date, as in '90 days after 1 March 2025'")
    if re.search(r"\b(?:before|ago)\b", text) and re.search(r"\bafter\b", text):
        raise NotAnswerable("this goes both before and after a date; ask in two steps")
    start = asked.day(0) if asked.dates else asked.today.taken()
    day, clamped = stepped(start, -asked.span if back else asked.span)
    said = (
        f"{asked.span} {'before' if back else 'after'} {long_text(start)} is {WEEKDAYS[day.weekday()]} {long_text(day)}"
    )
    if clamped:
        said += f" (the month reached has no day {start.day}, so its last day is taken)"
    return _dated(day, said).model_copy(update={"clamped": clamped})


def _date_itself(asked: DateQuestion) -> DateAnswer | None:
    if not asked.dates:
        words = set(re.findall(r"[\w']+", asked.text))
        asks = words & {*_ASKS_TODAY.split()} and words <= {*_ASKS_TODAY.split(), *_BESIDE_TODAY.split()}
        return _weekday_of(asked.today.taken()) if asks else None
    if len(asked.dates) > 1 or not _ASKS_DATE.search(asked.text) or _PART_OR_RELATION.search(asked.text):
        return None
    asked.refuse_other_numbers()
    return _weekday_of(asked.day(0, "last" if re.search(r"\bwas\b", asked.text) else "next"))


def _weekday_of(day: date) -> DateAnswer:
    return _dated(day, f"{long_text(day)} is a {WEEKDAYS[day.weekday()]}")


def _dated(day: date, answer: str) -> DateAnswer:
    return DateAnswer(kind="date", date=day, weekday=WEEKDAYS[day.weekday()], answer=answer)


_KINDS: tuple[Callable[[DateQuestion], DateAnswer | None], ...] = (
    _leap_year,
    age,
    _month_length,
    _weekday_search,
    _shifted,
    difference,
    _date_itself,
)
