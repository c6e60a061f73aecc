"""Graded outcomes in a file: which expert did how well on which query. Reads and checks lines; learns nothing.

Light to import: the service asks only whether the file has changed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routers.errors import TrainingError

__all__ = [
    "FUSE",
    "MOST_PROBLEMS",
    "FusedGrade",
    "Grade",
    "Graded",
    "GradedSet",
    "graded_sha256",
    "listed",
    "read_graded",
]

MOST_PROBLEMS = 20
"""So many lines say what is wrong with a file; then their number."""

SHAPE = '{"query" or "category": ..., "outcomes": {expert: {"score": 0 to 1, "cost_usd": ...}}}'
FUSE = "fuse"
"""Among the outcomes, beside the experts: a fuse plan or a list of them, graded as a whole. No expert's name."""
FUSED_SHAPE = '{"experts": [those that drafted, two or more], "score": 0 to 1}'
FEWEST_DRAFTS = 2


@dataclass(frozen=True, slots=True)
class Grade:
    """How one expert did.

    score: 0 (wrong) to 1 (right). cost_usd: of this query, None where not known. answer: what it said, whole or only
    the short answer, empty where it gave none; None where that was not recorded.
    """

    score: float
    cost_usd: float | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedGrade:
    """How a verdict on several drafts did. experts: who drafted. verdict: who wrote it, None where not known.

    cost_usd: of the drafts and the verdict together.
    """

    experts: tuple[str, ...]
    verdict: str | None
    grade: Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One query, graded. category: None where only the query is known. source: where it stands, for people.

    outcomes: of experts. fused: of fuse plans.
    """

    query: str | None
    category: str | None
    outcomes: Mapping[str, Grade]
    source: str
    fused: tuple[FusedGrade, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedSet:
    """A whole file, and the hash of its bytes."""

    lines: tuple[Graded, ...]
    sha256: str


def read_graded(path: Path) -> GradedSet:
    """The graded queries of a JSONL file, one object a line; further keys and blank lines are passed over.

    Raises:
        TrainingError: the file cannot be read, is empty, or lines are malformed; each as file:line.
    """
    content = _content(path)
    lines: list[Graded] = []
    problems: list[str] = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        source = f"{path}:{number}"
        try:
            lines.append(_graded(line, source))
        except ValueError as error:
            problems.append(f"{source}: {error}")
    if not lines and not problems:
        problems.append(f"{path}: no graded queries; each line is {SHAPE}")
    if problems:
        raise TrainingError(listed(problems))
    return GradedSet(lines=tuple(lines), sha256=hashlib.sha256(content).hexdigest())


def graded_sha256(path: Path) -> str:
    """The hash by which a file is known again; raises TrainingError where it cannot be read."""
    return hashlib.sha256(_content(path)).hexdigest()


def listed(problems: list[str]) -> list[str]:
    """No more of them than a person reads, and how many are left."""
    left = len(problems) - MOST_PROBLEMS
    return problems if left <= 0 else [*problems[:MOST_PROBLEMS], f"and {left} more"]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrainingError([f"{path}: cannot be read ({error.strerror})"]) from error


def _graded(line: bytes, source: str) -> Graded:
    """One line; ValueError says what is wrong with it."""
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError):  # a number of too many digits; brackets without end
        raise ValueError("not JSON that can be read") from None
    if not isinstance(record, dict):
        raise ValueError(f"not an object; expected {SHAPE}")  # noqa: TRY004 - a malformed line
    query, category = _text(record, "query"), _text(record, "category")
    if query is None and category is None:
        raise ValueError("neither 'query' nor 'category'; give one of them")
    outcomes = record.get("outcomes")
    if not isinstance(outcomes, dict) or not outcomes:
        raise ValueError(f"'outcomes' is missing or empty; expected {SHAPE}")
    grades = {expert: _grade(f"outcomes.{expert}", found) for expert, found in outcomes.items() if expert != FUSE}
    fused = _fused(outcomes.get(FUSE, []))
    return Graded(query=query, category=category, outcomes=grades, source=source, fused=fused)


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise ValueError(f"{key!r} is no text")
    return value


def _fused(outcomes: object) -> tuple[FusedGrade, ...]:
    """One fuse plan, or a list of them."""
    several = outcomes if isinstance(outcomes, list) else [outcomes]
    found = []
    for number, outcome in enumerate(several):
        where = f"outcomes.{FUSE}" + (f"[{number}]" if isinstance(outcomes, list) else "")
        if not isinstance(outcome, dict):
            raise ValueError(f"{where} is not an object; expected {FUSED_SHAPE}")  # noqa: TRY004 - a malformed line
        experts, verdict = outcome.get("experts"), outcome.get("verdict")
        texts = isinstance(experts, list) and all(isinstance(expert, str) for expert in experts)
        if not isinstance(experts, list) or not texts or len(set(experts)) < max(FEWEST_DRAFTS, len(experts)):
            raise ValueError(f"{where}.experts must be two or more different experts")
        if verdict is not None and not isinstance(verdict, str):
            raise ValueError(f"{where}.verdict is no expert")
        found.append(FusedGrade(experts=tuple(experts), verdict=verdict, grade=_grade(where, outcome)))
    return tuple(found)


def _grade(where: str, outcome: object) -> Grade:
    if not isinstance(outcome, dict):
        raise ValueError(f'{where} is not an object; expected {{"score": 0 to 1, "cost_usd": ...}}')  # noqa: TRY004
    score = _number(outcome.get("score"))
    if score is None or score > 1:
        raise ValueError(f"{where}.score must be a number from 0 to 1")
    cost = _number(outcome.get("cost_usd"))
    if cost is None and outcome.get("cost_usd") is not None:
        raise ValueError(f"{where}.cost_usd must be a number, 0 or more")
    answer = outcome.get("answer")
    if answer is not None and not isinstance(answer, str):
        raise ValueError(f"{where}.answer must be a text, empty where none was given")
    return Grade(score, cost, answer)


def _number(value: object) -> float | None:
    """A finite number of 0 or more; None for anything else, truth values included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if 0 <= number < math.inf else None
