"""The parts of findings that are shown as tables, read from their JSON. Anything of another shape is refused.

Every `of` raises KeyError, TypeError, ValueError or AttributeError for JSON that is not its part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeGuard

from eval.measures import Measure, measure
from eval.metrics import Figure, share
from eval.report.numbers import interval, number, percent, value

__all__ = ["Cell", "Confused", "Confusion", "Errors", "Example", "HeatMap", "Slice", "Slices"]

HEAT = 0.62
"""The strongest tint of a cell; beyond it the text would lose its contrast."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a coloured table: its text, its tint from 0 to `HEAT`, what a pointer reads, and its mark."""

    text: str
    heat: float
    title: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Confused:
    """`count` of the `n` queries of category `true` were sent to `guess`."""

    true: str
    guess: str
    count: int
    n: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts by true category, and by where the queries were sent; counts[true] has what is not zero."""

    rows: Sequence[str]
    columns: Sequence[str]
    counts: dict[str, dict[str, int]]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `confusion`: rows without queries are left out, columns are ordered as the rows."""
        counts = {true: {guess: int(count) for guess, count in row.items() if count} for true, row in part.items()}
        rows = [true for true, row in counts.items() if row]
        if not rows:
            message = "a confusion matrix of no queries"
            raise ValueError(message)
        guesses = dict.fromkeys(guess for row in counts.values() for guess in row)
        return cls(rows, list(dict.fromkeys([*rows, *guesses])), counts)

    def total(self, true: str) -> int:
        """How many queries of that category there are."""
        return sum(self.counts[true].values())

    def recall(self, true: str) -> Figure:
        """The share of them that was sent to it."""
        return share(self.counts[true].get(true, 0), self.total(true))

    def pairs(self) -> list[Confused]:
        """Every mistake that was made, the commonest first, then by its share of the category."""
        found = [
            Confused(true, guess, count, self.total(true))
            for true in self.rows
            for guess, count in self.counts[true].items()
            if guess != true
        ]
        return sorted(found, key=lambda pair: (-pair.count, -pair.count / pair.n))

    def cells(self, true: str) -> Iterator[Cell | None]:
        """The row of a category, None where nothing was sent; marks are `right` and `wrong`.

        Mistakes are few a cell: their tints grow with the root of the share, else none would be seen.
        """
        n = self.total(true)
        for guess in self.columns:
            count = self.counts[true].get(guess, 0)
            if not count:
                yield None
                continue
            title = f"{true} → {guess}: {count} of {n} ({percent(count / n)})"
            if guess == true:
                yield Cell(f"{count}", round(HEAT * count / n, 3), title, "right")
            else:
                yield Cell(f"{count}", round(HEAT * math.sqrt(count / n), 3), title, "wrong")


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A measure by row and column, with nothing where nothing was measured."""

    row_title: str
    column_title: str
    measure: str
    rows: Sequence[str]
    columns: Sequence[str]
    figures: Sequence[Sequence[Figure | None]]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `heat_map`."""
        rows, columns = [str(row) for row in part["rows"]], [str(column) for column in part["columns"]]
        figures = [[None if cell is None else Figure.from_dict(cell) for cell in row] for row in part["cells"]]
        if len(figures) != len(rows) or any(len(row) != len(columns) for row in figures) or not rows:
            message = "a heat map needs a cell for every row and column"
            raise ValueError(message)
        return cls(part["row_title"], part["column_title"], part["measure"], rows, columns, figures)

    @property
    def kind(self) -> Measure:
        """What the measure means, where its name is known."""
        return measure(self.measure)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value; equal where there is no other."""
        values = [cell.value for row in self.figures for cell in row if _defined(cell)]
        return (min(values), max(values)) if values else (0.0, 0.0)

    def best(self, row: int) -> float:
        """The best value of a row; NaN for an empty one."""
        values = [cell.value for cell in self.figures[row] if _defined(cell)]
        if not values:
            return math.nan
        return min(values) if self.kind.better == "lower" else max(values)

    def winners(self, row: int) -> list[str]:
        """The columns that are best in a row."""
        best = self.best(row)
        cells = zip(self.columns, self.figures[row], strict=True)
        return [column for column, cell in cells if _defined(cell) and cell.value == best]

    def size(self, row: int) -> int:
        """The number of queries of a row: the most that any of its cells stands on."""
        return max((cell.n for cell in self.figures[row] if cell is not None), default=0)

    def cells(self, row: int) -> Iterator[Cell | None]:
        """The cells of a row, None where nothing was measured; the best has the mark `best`."""
        low, high = self.ends
        best = self.best(row)
        for column, cell in zip(self.columns, self.figures[row], strict=True):
            if not _defined(cell):
                yield None
                continue
            heat = HEAT * (cell.value - low) / (high - low) if high > low else 0.0
            within = f", 95 % interval {interval(cell)}" if cell.ci95 else ""
            title = f"{self.rows[row]}, {column}: {value(cell)}{within}, n = {cell.n}"
            text = f"{cell.value:.3f}".removeprefix("0") if high <= 1 and low >= 0 else number(cell.value)
            yield Cell(text, round(heat, 3), title, "best" if cell.value == best else "")


@dataclass(frozen=True, slots=True)
class Example:
    """One query of a slice: what was expected and what came."""

    query: str
    expected: str
    got: str
    detail: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the queries, how it did, and some of what went wrong."""

    name: str
    measure: str
    figure: Figure
    examples: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices, worst first."""

    slices: Sequence[Slice]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `slices`."""
        return cls(
            [
                Slice(
                    str(row["slice"]),
                    str(row["measure"]),
                    Figure.from_dict(row["figure"]),
                    [
                        Example(*(str(found.get(key) or "") for key in ("query", "expected", "got", "detail")))
                        for found in row["examples"]
                    ],
                )
                for row in part
            ]
        )


@dataclass(frozen=True, slots=True)
class Errors:
    """How many failures there were of each class, the commonest first."""

    counts: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, part: Any) -> Self:
        """Read the part `errors`."""
        counts = {str(name): int(count) for name, count in part.items()}
        return cls(sorted(counts.items(), key=lambda row: -row[1]))

    @property
    def most(self) -> int:
        """The highest count, at least 1."""
        return max([1, *(count for _, count in self.counts)])


def _defined(cell: Figure | None) -> TypeGuard[Figure]:
    return cell is not None and not math.isnan(cell.value)
