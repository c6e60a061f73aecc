"""What was measured of every expert in every category, in a form that a person reads. Knows no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Cell", "Matrix"]

MARK = "*"
UNKNOWN = "-"


class Cell(BaseModel):
    """One expert or fuse plan in one category.

    mean, low, high: expected score and its 95 % interval; None where nothing is known. n: graded queries. gain,
    gain_low: what it scores more than the best single expert on the same queries, and the lower bound of that; of a
    fuse plan, more than `over`, the best expert of the category that costs no more. cost_usd: mean of a query.

    What a fuse plan stands on, as it was counted, while `gain` is drawn towards that of other categories: compared:
    queries on which it, its placebo if it has one, and `over` were all graded. helped, harmed: on how many of these it
    scored more and less than `over`. counted: what it scored more, their mean. placebo: the same of the same vote where
    as many drafts are dropped at random as a consensus drops.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n: Annotated[int, Field(ge=0)]
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    over: str | None = None
    cost_usd: Annotated[float, Field(ge=0)] | None = None
    compared: Annotated[int, Field(ge=0)] = 0
    helped: Annotated[int, Field(ge=0)] | None = None
    harmed: Annotated[int, Field(ge=0)] | None = None
    counted: float | None = None
    placebo: float | None = None

    def evidence_text(self) -> str:
        """On how many queries a fuse plan helped and harmed, and the placebo; empty of an expert."""
        if not self.compared or self.counted is None:
            return ""
        placebo = "" if self.placebo is None else f", with drafts dropped at random {self.placebo:+.3f}"
        return f"helped {self.helped}, harmed {self.harmed} of {self.compared} queries: {self.counted:+.3f}{placebo}"

    def gain_text(self, *, digits: int = 3) -> str:
        """`gain [low, high]`, the bounds equally far, and over whom; empty where it is not known."""
        if self.gain is None or self.gain_low is None:
            return ""
        numbers = (self.gain, self.gain_low, 2 * self.gain - self.gain_low)
        mean, low, high = (f"{number:+.{digits}f}" for number in numbers)
        return f"{mean} [{low}, {high}]" + (f" over {self.over}" if self.over else "")

    def text(self, *, digits: int = 3) -> str:
        """`mean [low, high]`, or a dash."""
        if self.mean is None or self.low is None or self.high is None:
            return UNKNOWN
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def moved_to(self, other: Cell) -> bool:
        """Whether each mean lies outside the other's interval, or one of them is not known."""
        return self._outside(other) and other._outside(self)

    def _outside(self, other: Cell) -> bool:
        if self.mean is None or other.low is None or other.high is None:
            return (self.mean is None) != (other.mean is None)
        return not other.low <= self.mean <= other.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rows are categories, columns experts and then fuse plans. chosen: the column of each category."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[str, Mapping[str, Cell]]
    chosen: Mapping[str, str]

    def table(self, *, digits: int = 3) -> list[list[str]]:
        """Texts to print: a line of headings, then a line a category, with a star at what is chosen."""
        lines = [["category", *self.columns]]
        for row in self.rows:
            cells = [self.cells[row].get(column, Cell(n=0)).text(digits=digits) for column in self.columns]
            marks = [f" {MARK}" if self.chosen[row] == column else "" for column in self.columns]
            lines.append([row, *(cell + mark for cell, mark in zip(cells, marks, strict=True))])
        return lines
