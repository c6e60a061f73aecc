"""What is wrong with data, collected with its place, so that one run shows all of it. Knows no format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from eval.datasets.dataset import DataError
from eval.datasets.record import Record

__all__ = ["Problems", "Wrong", "did_you_mean", "printable"]

SHOWN = 20
"""More problems than this are counted, not shown."""


MOST_KNOWN, LONGEST_WORD = 10_000, 100
"""Words beyond these are not compared: nobody mistypes them, and comparing takes time."""


class Wrong(Exception):
    """What is wrong with the row at hand; `Problems.at` gives it its place.

    unknown, known: a word and those it may have been meant to be, for a suggestion where the problem is shown.
    """

    def __init__(self, what: str, *, unknown: str = "", known: Iterable[str] = ()) -> None:
        super().__init__(what)
        self.unknown, self.known = unknown, known


def printable(text: str, limit: int = 300) -> str:
    """`text` on one line: control characters escaped, cut after `limit` characters."""
    line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: limit + 1])
    return line if len(text) <= limit else f"{line[:limit]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message that suggests the nearest of `known`, empty where none is near."""
    words = [one for one in islice(known, MOST_KNOWN) if len(one) <= LONGEST_WORD]
    near = get_close_matches(word, words, n=1) if len(word) <= LONGEST_WORD else []
    return f" (did you mean {near[0]!r}?)" if near else ""


class Problems:
    """The problems found so far; `check` raises them as one DataError."""

    def __init__(self) -> None:
        self.count = 0
        self._lines: list[str] = []

    def add(self, place: str, what: str, *, unknown: str = "", known: Iterable[str] = ()) -> None:
        """Note that `what` is wrong at `place` (file:line); `unknown` and `known` as in `Wrong`."""
        self.count += 1
        if self.count <= SHOWN:
            meant = did_you_mean(unknown, known) if unknown else ""
            self._lines.append(f"{printable(place)}: {printable(what)}{printable(meant)}")

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Note what the block finds wrong with the row at `place`, and go on with the next row."""
        try:
            yield
        except Wrong as wrong:
            self.add(place, str(wrong), unknown=wrong.unknown, known=wrong.known)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                self.add(place, _said(detail))

    def check_unique(self, records: Iterable[Record]) -> None:
        """Note every id that stands twice, with both places."""
        first: dict[str, str] = {}
        for record in records:
            if record.id in first:
                self.add(record.source, f"duplicate id {record.id!r}: it stands already at {first[record.id]}")
            else:
                first[record.id] = record.source

    def check(self) -> None:
        """Raise DataError with all problems, if there are any."""
        if self.count:
            more = [f"… and {self.count - SHOWN} more"] if self.count > SHOWN else []
            raise DataError([*self._lines, *more])


def _said(detail: ErrorDetails) -> str:
    where = printable(".".join(str(part) for part in detail["loc"]), LONGEST_WORD)
    match detail["type"]:
        case "missing":
            return f"missing column {where!r}"
        case "extra_forbidden":
            return f"unknown column {where!r}{did_you_mean(where, Record.model_fields)}"
        case "recursion_loop" | "recursion_depth_exceeded":
            return f"{where}: is nested too deeply"
        case _:
            return f"{where}: {detail['msg']}"
