"""What is wrong with a file and where: places, paths and the line that a person reads. Knows neither YAML nor keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["Mark", "Path", "Problem", "choices", "lines", "nearest", "shown", "spelled"]

Path = tuple[str | int, ...]
"""Keys and list positions (from 0) from the top of the file downwards."""

MOST_CHOICES = 20
MOST_SHOWN = 80


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file, both from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend (or, as a note, to know). `message` is one line in plain words."""

    mark: Mark
    path: Path
    message: str

    def line(self, file: str) -> str:
        """`file:line:column: path: message`; without a path where the file as a whole is meant."""
        place = f"{file}:{self.mark.line}:{self.mark.column}: "
        return place + (f"{spelled(self.path)}: " if self.path else "") + self.message


def lines(problems: Iterable[Problem], file: str) -> list[str]:
    """The problems as printable lines, in the order of the file, none twice."""
    inorder = sorted(problems, key=lambda problem: problem.mark)
    return list(dict.fromkeys(problem.line(file) for problem in inorder))


def spelled(path: Path) -> str:
    """`categories.math.experts[1]`; keys that are no names are quoted: `categories['a b']`."""
    return "".join(_segment(segment) for segment in path).removeprefix(".")


def _segment(segment: str | int) -> str:
    if isinstance(segment, str) and len(segment) <= MOST_SHOWN and re.fullmatch(r"[\w.-]+", segment):
        return f".{segment}"
    return f"[{shown(segment)}]"


def shown(value: object) -> str:
    """A value as Python writes it, on one line and not too long."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 4]}...{text[-1]}"


def nearest(name: str, known: Collection[str]) -> str:
    """`did you mean 'a'?`, or nothing when no known name is near."""
    near = difflib.get_close_matches(name[:MOST_SHOWN], known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def choices(name: str, known: Collection[str]) -> str:
    """` (known: a, b; did you mean 'a'?)`, for the end of a message; empty when nothing is known."""
    if not known:
        return ""
    names = sorted(known)
    more = f" and {len(names) - MOST_CHOICES} more" if len(names) > MOST_CHOICES else ""
    near = nearest(name, names)
    return f" (known: {', '.join(names[:MOST_CHOICES])}{more}{near and f'; {near}'})"
