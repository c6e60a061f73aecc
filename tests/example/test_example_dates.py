"""The example's date arithmetic: what it reads in sentences, calendar facts, and what it refuses."""

from datetime import UTC, date, datetime, timedelta

import pytest
from calendar_steps import MONTHS, Span, elapsed, stepped, weekdays_between
from date_arithmetic import date_math
from hypothesis import given
from hypothesis import strategies as st
from tool_questions import NotAnswerable

TODAY = "2025-11-22"  # a Saturday

ANSWERS = [
    ("how many days between 2024-02-10 and 2024-03-01", {"days": 20, "weekdays": 14}),
    ("days from 2024-03-01 to 2024-02-10", {"days": 20, "start": date(2024, 2, 10)}),
    ("how many days between 1 March and 5 April 2024", {"days": 35}),
    ("how many days until 31 December", {"days": 39, "end": date(2025, 12, 31)}),
    ("how many days until Christmas", {"days": 33}),
    ("how many days until 29 February", {"end": date(2028, 2, 29)}),
    ("how long since 1 January 2000", {"days": 9457}),
    ("how many months between 15 January 2024 and 20 March 2025", {"years": 1, "months": 2, "days_beyond_months": 5}),
    ("how many years from July 4, 1776 to July 4, 2026", {"years": 250, "months": 0, "days_beyond_months": 0}),
    ("weekdays between 2025-01-01 and 2025-02-01", {"weekdays": 23}),
    ("how many business days from 3 March 2025 to 10 March 2025", {"weekdays": 5}),
    ("what day of the week was 20 July 1969", {"date": date(1969, 7, 20), "weekday": "Sunday"}),
    ("what day is 25/12/2025", {"date": date(2025, 12, 25), "weekday": "Thursday"}),
    ("what day is 12/25/2025", {"date": date(2025, 12, 25)}),
    ("what day of the week is halloween 2025", {"date": date(2025, 10, 31), "weekday": "Friday"}),
    ("what is today's date", {"date": date(2025, 11, 22), "weekday": "Saturday"}),
    ("what day is it tomorrow", {"date": date(2025, 11, 23)}),
    ("what date is 90 days after 1 March 2025", {"date": date(2025, 5, 30), "clamped": False}),
    ("3 weeks before Christmas 2025", {"date": date(2025, 12, 4)}),
    ("add 18 months to 31 August 2024", {"date": date(2026, 2, 28), "clamped": True}),
    ("1 year, 2 months and 3 days after 2024-01-31", {"date": date(2025, 4, 3)}),
    ("10 business days after 2025-01-03", {"date": date(2025, 1, 17)}),
    ("subtract 10 days from 1 January 2025", {"date": date(2024, 12, 22)}),
    ("what day will it be in fourteen days", {"date": date(2025, 12, 6)}),
    ("what is the day before Christmas 2025", {"date": date(2025, 12, 24)}),
    ("is 20 July 1969 a sunday?", {"weekday": "Sunday"}),
    ("2 weeks ago", {"date": date(2025, 11, 8)}),
    ("a week from tomorrow", {"date": date(2025, 11, 30)}),
    ("next friday after 2025-01-01", {"date": date(2025, 1, 3)}),
    ("first Monday on or after 1 September 2025", {"date": date(2025, 9, 1)}),
    ("second Friday after 2025-01-01", {"date": date(2025, 1, 10)}),
    ("last friday before Christmas 2025", {"date": date(2025, 12, 19)}),
    ("next friday", {"date": date(2025, 11, 28)}),
    ("is 2100 a leap year", {"year": 2100, "is_leap_year": False}),
    ("is 2000 a leap year?", {"is_leap_year": True}),
    ("when is the next leap year after 2096", {"year": 2104}),
    ("how many days in February 2024", {"days": 29}),
    ("how old is someone born on 3 May 1990 on 1 Jan 2020", {"years": 29}),
    ("on 3 May 2020, how old is someone who was born on 3 May 1990?", {"years": 30, "months": 0}),
    ("how old is someone born 3 May 1990", {"years": 35}),
]
REFUSALS = {
    "what day is 03/04/2025": "3 April 2025 or 4 March 2025",
    "what day is 03/04/25": "four",
    "what day is 29 Feb 2023": "no 29 February 2023",
    "what day is 2024-13-01": "month 13",
    "how many days between Easter and Christmas 2025": "moves",
    "how many days inclusive between 2024-02-10 and 2024-03-01": "inclusive",
    "how many days between 1 and 5 March 2024": "'1'",
    "1.5 weeks after 2025-01-01": "whole",
    "-3 days after 2025-01-01": "before",
    "3 days after the day before 2025-01-01": "two steps",
    "90 days 1 March 2025": "after or before",
    "how many days in 3 weeks": "after or before",
    "100000 years after 2025-01-01": "9999",
    "how old is someone born on 3 May": "year of birth",
    "how old is someone born on 3 May 2030": "before the birth",
    "last friday of May 2024": "ask for",
    "next friday before 2025-01-01": "both ways",
    "first friday 3 weeks after 2025-01-01": "friday",
    "how many fridays between 2024-01-01 and 2024-02-01": "fridays",
    "how many hours between 2024-01-01 and 2024-01-02": "hours",
    "how many leap years between 2000 and 2024": "one year",
    "how many days until february": "ask for",
    "what is the last day of February 2024": "ask for",
    "when is the first day of spring": "ask for",
    "what time is it": "ask for",
    "hello": "ask for",
    "": "empty",
    "what day is 2025-01-01 " * 100: "2,000",
}


@pytest.mark.parametrize(("question", "fields"), ANSWERS)
def test_question_is_answered_in_typed_fields(question: str, fields: dict[str, object]) -> None:
    """The calendar's facts; which questions are understood is ours."""
    found = date_math(question, TODAY).model_dump()
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize(("question", "needle"), REFUSALS.items())
def test_what_cannot_be_answered_is_refused_with_a_reason(question: str, needle: str) -> None:
    """Ours: a date with two readings is never guessed."""
    with pytest.raises(NotAnswerable, match=needle):
        date_math(question, TODAY)


def test_answer_that_rests_on_today_says_which_day_that_is() -> None:
    """Ours: given by the caller here; an answer that does not rest on it does not mention it."""
    found = date_math("how many days until 31 December", TODAY)
    assert (found.today, found.today_from) == (date(2025, 11, 22), "caller")
    assert found.answer.endswith("(today being 22 November 2025, as given)")
    assert date_math("is 2100 a leap year", TODAY).today is None


def test_without_a_given_day_the_servers_date_is_today() -> None:
    """Ours: the server's clock is asked at most a day apart from this test's."""
    found = date_math("what is today's date")
    assert found.today_from == "server clock"
    assert found.date is not None
    assert abs(found.date - datetime.now(tz=UTC).date()) <= timedelta(days=1)


def test_today_that_is_no_date_is_refused() -> None:
    """Ours: also in the override nothing is guessed."""
    with pytest.raises(NotAnswerable, match="YYYY-MM-DD"):
        date_math("what is today's date", "yesterday")


def test_clamped_day_is_stated_in_the_answer() -> None:
    """Ours: 31 August and 18 months is a day that February does not have."""
    assert date_math("add 18 months to 31 August 2024").answer == (
        "18 months after 31 August 2024 is Saturday 28 February 2026 "
        "(the month reached has no day 31, so its last day is taken)"
    )


def test_date_before_the_gregorian_calendar_is_marked() -> None:
    """Ours: the calendar is carried back, and the answer says so."""
    assert "carried back" in date_math("what day of the week was 14 October 1066").answer


DAYS = st.dates(min_value=date(1600, 1, 1), max_value=date(2400, 1, 1))


def said(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


@given(DAYS, st.integers(0, 10_000), st.sampled_from([("days", 1), ("weeks", 7)]))
def test_going_back_undoes_going_forward(day: date, count: int, unit: tuple[str, int]) -> None:
    """The algebra: adding agrees with datetime, and subtracting the same length is its inverse."""
    name, days = unit
    forward = date_math(f"{count} {name} after {said(day)}").date
    assert forward == day + timedelta(days=count * days)
    assert date_math(f"{count} {name} before {said(forward)}").date == day


@given(DAYS, DAYS)
def test_elapsed_years_months_and_days_lead_from_start_to_end(one: date, two: date) -> None:
    """The algebra: stepping by what has elapsed arrives, and the parts are in their ranges."""
    start, end = sorted((one, two))
    span = elapsed(start, end)
    months_on, _ = stepped(start, Span(years=span.years, months=span.months))
    assert months_on + timedelta(days=span.days) == end
    assert 0 <= span.months < 12
    assert 0 <= span.days < 31


@given(DAYS, st.integers(0, 200))
def test_weekdays_between_are_the_days_from_monday_to_friday(start: date, length: int) -> None:
    """The algebra: the count agrees with looking at each day."""
    days = [start + timedelta(days=offset) for offset in range(length)]
    assert weekdays_between(start, start + timedelta(days=length)) == sum(day.weekday() < 5 for day in days)


@given(DAYS, st.integers(-60, 60))
def test_stepping_by_weekdays_agrees_with_counting_them(start: date, count: int) -> None:
    """The algebra: one weekday at a time arrives at the same day."""
    day = start
    for _ in range(abs(count)):
        day += timedelta(days=1 if count > 0 else -1)
        while day.weekday() >= 5:
            day += timedelta(days=1 if count > 0 else -1)
    assert stepped(start, Span(weekdays=count)) == (day, False)
