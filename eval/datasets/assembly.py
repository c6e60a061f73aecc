"""Makes one data set of what a reader found: joins results that lie in a file a model, checks ids, notes repeats.

Knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.lines import Row
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Record

__all__ = ["Join", "assemble"]


def assemble(
    name: str,
    records: Sequence[Record],
    problems: Problems,
    *,
    skipped: Iterable[Skipped] = (),
    notes: Iterable[str] = (),
) -> Dataset:
    """The data set, if its rows are in order: raises DataError for problems, duplicate ids, or no row at all."""
    skipped = tuple(skipped)
    problems.check_unique(records)
    if not records and not problems.count:
        left_out = f", {len(skipped)} left out (first: {skipped[0].reason})" if skipped else ""
        problems.add(name, f"holds no usable row{left_out}")
    problems.check()
    return Dataset(name=name, records=tuple(records), skipped=skipped, notes=(*notes, *_repeats(records)))


def _repeats(records: Sequence[Record]) -> list[str]:
    """Same queries are kept, but they must not fall on both sides of a split."""
    splits: dict[str, list[str | None]] = {}
    for record in records:
        if record.query:
            splits.setdefault(record.query, []).append(record.split)
    repeated = sum(len(found) - 1 for found in splits.values())
    crossing = sum(len(set(found)) > 1 for found in splits.values())
    notes = [f"{repeated} rows repeat the query of an earlier one: split by its text"] if repeated else []
    return [*notes, f"{crossing} queries stand in more than one split"] if crossing else notes


@dataclass(slots=True)
class Join:
    """Rows of several experts' result files, joined by id; what is common to all stands in `agree`.

    A question on which the files differ is left out: nobody knows which one was graded.
    """

    agree: tuple[str, ...]
    rows: dict[str, Row] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    places: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, identity: str, *, expert: str, row: Row, entry: Any) -> None:
        """Take what one expert's file says of the question `identity`; raises Wrong where it says so twice."""
        common = {column: row[column] for column in self.agree}
        first = self.rows.setdefault(identity, row)
        if differing := [column for column in self.agree if first[column] != common[column]]:
            reason = f"{', '.join(differing)} of {identity!r} differs from {first.place}"
            self.skipped.setdefault(identity, Skipped(row.place, reason))
        place = self.places.setdefault((identity, expert), row.place)
        if place is not row.place:
            raise Wrong(f"duplicate id {identity!r} of {expert!r}: it stands already at {place}")
        self.entries.setdefault(identity, {})[expert] = entry

    def joined(self, column: str) -> list[Row]:
        """One row a question, with the experts' entries as `column`."""
        return [
            Row(row.place, {**row.values, column: self.entries[identity]})
            for identity, row in self.rows.items()
            if identity not in self.skipped
        ]
