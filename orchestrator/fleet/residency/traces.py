"""Traces of requests: our own JSONL, and Azure's CSV, which tells when and how many tokens, but not whom.

Own format, one object a line: `at_s`, `expert` or `category`, and optionally `session`, `input_tokens`,
`output_tokens`. Azure's: TIMESTAMP, ContextTokens, GeneratedTokens. Either plain or gzip. Reads, and invents nothing:
experts for requests that name none come from `orchestrator.fleet.residency.workload`.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Request", "read_trace"]

AZURE_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
MOST_PROBLEMS = 20

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. at_s: seconds since the first. expert: empty where the trace does not say."""

    at_s: float
    input_tokens: int = 0
    output_tokens: int = 0
    expert: str = ""
    session: str | None = None


def read_trace(path: Path, *, experts: Mapping[str, str]) -> list[Request]:
    """The requests in their order. experts: whom an `expert` or `category` of our own format stands for, by name.

    Raises:
        ConfigError: every line that is none, with its place; or the file cannot be read.

    """
    problems: list[str] = []
    try:
        with _open(path) as file:
            start = file.readline()
            file.seek(0)
            if start.startswith("\ufeff") or "TIMESTAMP" in start:
                requests = list(_azure(file, path, problems))
            else:
                requests = list(_own(file, path, experts, problems))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    if not problems and not requests:
        problems.append(f"{path}: holds no request")
    for number, (earlier, later) in enumerate(pairwise(requests), start=2):
        if later.at_s < earlier.at_s:
            problems.append(f"{path}: request {number} is earlier than the one before it")
    if problems:
        left = len(problems) - MOST_PROBLEMS
        raise ConfigError([*problems[:MOST_PROBLEMS], *([f"{path}: {left} more problems"] if left > 0 else [])])
    return _from_zero(requests)


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _from_zero(requests: list[Request]) -> list[Request]:
    first_s = requests[0].at_s
    return [
        Request(request.at_s - first_s, request.input_tokens, request.output_tokens, request.expert, request.session)
        for request in requests
    ]


def _azure(file: TextIO, path: Path, problems: list[str]) -> Iterable[Request]:
    rows = csv.reader(file)
    header = [name.strip("\ufeff ") for name in next(rows)]
    missing = [column for column in AZURE_COLUMNS if column not in header]
    if missing:
        problems.append(f"{path}:1: no column {missing[0]!r}")
        return
    at, context, generated = (header.index(column) for column in AZURE_COLUMNS)
    for number, row in enumerate(rows, start=2):
        try:
            request = Request(_seconds(row[at]), _tokens(row[context]), _tokens(row[generated]))
        except (ValueError, IndexError):
            problems.append(f"{path}:{number}: expected a time and two numbers of tokens, found {','.join(row)!r}")
            continue
        yield request


def _seconds(text: str) -> float:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _tokens(value: object) -> int:
    number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    if number < 0:
        raise ValueError(value)
    return number


def _own(file: TextIO, path: Path, experts: Mapping[str, str], problems: list[str]) -> Iterable[Request]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            yield _request(json.loads(line), experts)
        except json.JSONDecodeError as error:
            problems.append(f"{path}:{number}: no JSON: {error.msg}")
        except _Wrong as wrong:
            problems.append(f"{path}:{number}: {wrong}")


class _Wrong(Exception):
    """Why a line is no request, as a sentence's rest."""


def _request(line: object, experts: Mapping[str, str]) -> Request:
    if not isinstance(line, dict):
        raise _Wrong("expected an object")
    unknown = sorted(set(line) - {"at_s", "expert", "category", "session", "input_tokens", "output_tokens"})
    if unknown:
        raise _Wrong(f"unknown key {unknown[0]!r}")
    name = line.get("expert") or line.get("category")
    if not isinstance(name, str):
        raise _Wrong("expected expert or category")
    if "expert" in line and name != line["expert"]:
        raise _Wrong("expected expert or category")
    if experts and name not in experts:
        raise _Wrong(f"{name!r} is neither an expert nor a category of the configuration")
    return Request(
        at_s=_valued(line, "at_s", _time),
        input_tokens=_valued(line, "input_tokens", _tokens, 0),
        output_tokens=_valued(line, "output_tokens", _tokens, 0),
        expert=experts.get(name, name),
        session=None if line.get("session") is None else str(line["session"]),
    )


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _valued(line: Mapping[str, object], key: str, read: Callable[[object], Number], default: object = None) -> Number:
    try:
        return read(line.get(key, default))
    except ValueError:
        raise _Wrong(f"{key}: expected a number, found {line.get(key)!r}") from None
