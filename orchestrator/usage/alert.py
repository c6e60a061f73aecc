"""What the drift watch says, as every surface shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Alert"]


class Alert(BaseModel):
    """Something has moved: values of `signal`, in a slice of the traffic.

    `since` and `decision` are ids of decisions: the first that was different, and the one that raised the alert.
    """

    model_config = ConfigDict(frozen=True)

    raised: datetime
    signal: Literal["confidence", "familiarity", "score"] = Field(
        description="the router's confidence, what the gate measured, or the scores of feedback"
    )
    slice: Literal["overall", "category", "expert"]
    name: str = Field(description="of the category or expert; empty for all traffic")
    decision: str
    since: str
    values: int = Field(description="so many values are different by now")
    before: float = Field(description="mean up to then")
    after: float = Field(description="mean since then")
    led_by: str | None = Field(default=None, description="for all traffic: the category that moved the mean most")
