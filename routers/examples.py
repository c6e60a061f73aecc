"""Labelled queries: reading them, and making of them the set that is learned from."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from routers.errors import TrainingError

__all__ = ["Example", "distinct", "examples_sha256", "read_examples", "same_text"]

MOST_SHOWN = 80
"""Characters of a query in a message."""


@dataclass(frozen=True, slots=True)
class Example:
    """A query and the category it belongs to; `source` says where it stands, for people."""

    query: str
    category: str
    source: str = field(default="", compare=False)


def read_examples(path: Path) -> list[Example]:
    """The examples of a JSONL file of {"query", "category"}; further keys and blank lines are passed over.

    Raises:
        TrainingError: the file cannot be read, or lines are malformed; every one of them, as file:line.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise TrainingError([f"{path}: cannot be read ({error.strerror})"]) from error
    examples: list[Example] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            examples.append(_example(line, source=f"{path}:{number}"))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise TrainingError(problems)
    return examples


def distinct(examples: Iterable[Example]) -> list[Example]:
    """Every query once, sorted by category and query, so that the order of the input does not matter.

    Queries that differ in case and white space alone are the same.

    Raises:
        TrainingError: a query stands under two categories.
    """
    first: dict[str, Example] = {}
    problems: list[str] = []
    for example in sorted(examples, key=lambda e: (e.category, same_text(e.query), e.query, e.source)):
        known = first.setdefault(same_text(example.query), example)
        if known.category != example.category:
            problems.append(
                f"{_place(example)}: {_shown(example.query)} is labelled {example.category!r} here "
                f"and {known.category!r} at {_place(known)}; keep one of them"
            )
    if problems:
        raise TrainingError(problems)
    return list(first.values())


def examples_sha256(examples: Iterable[Example]) -> str:
    """Names the set that would be learned from: equal for equal sets in any order, repeats aside."""
    digest = hashlib.sha256()
    for line in _lines(distinct(examples)):
        digest.update(line.encode())
    return digest.hexdigest()


def _lines(examples: Iterable[Example]) -> Iterator[str]:
    for example in examples:
        yield json.dumps([example.category, example.query]) + "\n"


def same_text(query: str) -> str:
    """What two queries share that differ in case and white space alone."""
    return " ".join(query.split()).casefold()


def _shown(query: str) -> str:
    """Enough of a query to know it again, on one line."""
    return repr(query if len(query) <= MOST_SHOWN else f"{query[:MOST_SHOWN]}...")


def _place(example: Example) -> str:
    return example.source or "an example"


def _example(line: bytes, *, source: str) -> Example:
    """One line as an example; ValueError says what is wrong with it."""
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(record, dict):
        raise ValueError('not an object; expected {"query": ..., "category": ...}')  # noqa: TRY004 - a malformed line
    values = [record.get(key) for key in ("query", "category")]
    for key, value in zip(("query", "category"), values, strict=True):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{key!r} is missing or no text")
    return Example(str(values[0]), str(values[1]), source)
