"""Queries whose relevant documents are known, from a file of JSON lines. Knows no index."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from routers.calibrate import IntArray
from routers.errors import TrainingError
from routers.examples import same_text

__all__ = ["FORM", "JudgedQuery", "judged_sha256", "query_folds", "read_judged"]

FORM = '{"query": ..., "relevant": [document ids] or {id: grade}, "source": ...}'
MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedQuery:
    """One query. relevant: grades above 0 by document. source: where it is from (a domain, a category, a data set)."""

    query: str
    relevant: Mapping[str, float]
    source: str = "all"


def read_judged(path: Path) -> list[JudgedQuery]:
    """The queries of a file; `source` may be left out.

    Raises:
        TrainingError: it cannot be read, has malformed lines (each with its place) or none at all.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TrainingError([f"{path}: {error.strerror or error}"]) from error
    judged: list[JudgedQuery] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            judged.append(_judged(json.loads(line)))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}; expected {FORM}")
    if not judged and not problems:
        problems.append(f"{path}: holds no queries; expected lines of {FORM}")
    if problems:
        raise TrainingError(problems[:MOST_PROBLEMS])
    return judged


def judged_sha256(judged: Iterable[JudgedQuery]) -> str:
    """Names what would be learned from, in its order."""
    digest = hashlib.sha256()
    for one in judged:
        digest.update(json.dumps([one.query, sorted(one.relevant.items()), one.source]).encode() + b"\n")
    return digest.hexdigest()


def query_folds(queries: Iterable[str], *, folds: int, seed: int) -> IntArray:
    """The fold of each query by a hash of its text: one that stands twice is never on both sides."""
    hashes = (hashlib.sha256(f"{seed}\0{same_text(query)}".encode()).digest()[:8] for query in queries)
    return np.array([int.from_bytes(digest, "big") % folds for digest in hashes], dtype=np.intp)


def _judged(record: Any) -> JudgedQuery:
    """One line; ValueError says what is wrong with it."""
    record = record if isinstance(record, dict) else {}
    query, relevant, source = record.get("query"), record.get("relevant"), record.get("source", "all")
    if not isinstance(query, str) or not query.strip():
        message = "'query' is missing or no text"
        raise ValueError(message)
    if not isinstance(source, str) or not source:
        message = "'source' is no text"
        raise ValueError(message)
    if isinstance(relevant, list):
        relevant = dict.fromkeys(relevant, 1) if all(isinstance(one, str) for one in relevant) else None
    if not isinstance(relevant, dict) or not all(_is_grade(grade) for grade in relevant.values()):
        message = "'relevant' is no list of document ids and no object of grades"
        raise ValueError(message)
    above = {document: float(grade) for document, grade in relevant.items() if grade > 0}
    if not above:
        message = "'relevant' names no document"
        raise ValueError(message)
    return JudgedQuery(query=query, relevant=above, source=source)


def _is_grade(grade: object) -> bool:
    return isinstance(grade, int | float) and not isinstance(grade, bool) and math.isfinite(grade) and grade >= 0
