"""What the `date_math` tool returns."""

import datetime as dt
from typing import Literal

from pydantic import Field
from tool_questions import Answer

__all__ = ["DateAnswer", "DateKind", "TodaySource"]

DateKind = Literal["difference", "date", "leap year", "age", "length of a month"]
TodaySource = Literal["caller", "server clock"]


class DateAnswer(Answer):
    """The answer to a question about dates; the fields that a question of this kind does not have are null."""

    kind: DateKind = Field(description="what was asked for")
    date: dt.date | None = Field(default=None, description="the date that was asked for")
    weekday: str | None = Field(default=None, description="day of the week of `date`, in English")
    start: dt.date | None = Field(default=None, description="the earlier date of a difference, or a date of birth")
    end: dt.date | None = Field(default=None, description="the later date of a difference or of an age")
    days: int | None = Field(default=None, description="days from `start` to `end`, or days of a month")
    weekdays: int | None = Field(
        default=None, description="days from Monday to Friday, from `start` up to and not including `end`"
    )
    years: int | None = Field(default=None, description="whole years from `start` to `end`")
    months: int | None = Field(default=None, description="whole months from `start` to `end` beyond `years`")
    days_beyond_months: int | None = Field(default=None, description="days beyond `years` and `months`")
    year: int | None = Field(default=None, description="the year of a question about leap years")
    is_leap_year: bool | None = Field(default=None, description="whether `year` is a leap year")
    clamped: bool | None = Field(default=None, description="whether a missing day was replaced by its month's last day")
    today: dt.date | None = Field(default=None, description="the date taken as today, where the answer depends on it")
    today_from: TodaySource | None = Field(default=None, description="who said what today is")
