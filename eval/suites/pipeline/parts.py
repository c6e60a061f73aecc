"""What a report shows of replies beside figures: errors, the worst slices with examples, who answered what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.metrics import Figure
from eval.metrics.means import mean_figure
from eval.suites.pipeline.asking import Reply
from eval.suites.pipeline.figures import category_of
from orchestrator.decision import Decision

__all__ = ["explained", "parts_of"]

MOST_SLICES = 10
MOST_EXAMPLES = 3
MOST_CHARACTERS = 300


def parts_of(replies: Sequence[Reply], *, seed: int) -> dict[str, Any]:
    """errors, graded_by, slices, heat_map, and confusion where the queries' categories are known."""
    parts: dict[str, Any] = {
        "errors": dict(sorted(Counter(reply.failed for reply in replies if reply.failed).items())),
        "graded_by": dict(sorted(Counter(reply.grade.method for reply in replies).items())),
        "slices": _slices(replies, seed=seed),
        "heat_map": _heat_map(replies, seed=seed),
    }
    judged = [(reply.question.category, reply.sent_to) for reply in replies]
    known = [(truth, sent) for truth, sent in judged if truth is not None and sent is not None]
    return {**parts, "confusion": _confusion(known)} if known else parts


def explained(decision: Decision) -> str:
    """What was done with a query, on one line: where it was sent, who was asked and how that ended, who answered."""
    said: list[str] = []
    if stage := decision.categorize:
        sure = f" ({stage.confidence:.2f})" if stage.confidence is not None else ""
        reason = f", {stage.reason}" if stage.reason else ""
        said.append(f"sent to {stage.category}{sure}{reason}" if stage.category else "not classified")
    said += [
        f"{attempt.expert} failed: {attempt.failure.kind}: {attempt.failure.message}"
        for attempt in decision.attempts
        if attempt.failure is not None
    ]
    if decision.verdict:
        saw = f" of {', '.join(decision.verdict.saw)}" if decision.verdict.kind != "relay" else ""
        said.append(f"{decision.verdict.kind} by {decision.verdict.expert}{saw}")
    if decision.error and decision.error not in [attempt.failure for attempt in decision.attempts]:
        said.append(f"{decision.error.kind}: {decision.error.message}")
    return "; ".join(said)


def _slices(replies: Sequence[Reply], *, seed: int) -> list[dict[str, Any]]:
    """By category, by expert and by the way of grading; the lowest score first, of equal ones the larger.

    A slice that holds every query is none.
    """
    slices: dict[str, list[Reply]] = {}
    for reply in replies:
        expert = reply.decision.expert or "none answered"
        for title, name in (("category", category_of(reply)), ("expert", expert), ("graded by", reply.grade.method)):
            if name is not None:
                slices.setdefault(f"{title} = {name}", []).append(reply)
    scored = [(name, _score(members, seed=seed), members) for name, members in slices.items()]
    lossy = [one for one in scored if one[1].value < 1 and one[1].n < len(replies)]
    worst = sorted(lossy, key=lambda one: (one[1].value, -one[1].n, one[0]))[:MOST_SLICES]
    return [
        {"slice": name, "measure": "score", "figure": figure.as_dict(), "examples": _examples(members)}
        for name, figure, members in worst
    ]


def _examples(replies: Sequence[Reply]) -> list[dict[str, str]]:
    """The first queries with the lowest scores."""
    lost = sorted((reply for reply in replies if reply.grade.score < 1), key=lambda reply: reply.grade.score)
    return [
        {
            "query": _short(reply.question.record.query),
            "expected": _short(reply.grade.expected),
            "got": _short(reply.grade.answer or reply.text or "no answer"),
            "detail": _short(explained(reply.decision)),
        }
        for reply in lost[:MOST_EXAMPLES]
    ]


def _heat_map(replies: Sequence[Reply], *, seed: int) -> dict[str, Any]:
    rows = sorted({name for reply in replies if (name := category_of(reply)) is not None})
    columns = sorted({name for reply in replies if (name := reply.decision.expert) is not None})
    cells: dict[tuple[str | None, str | None], list[Reply]] = {}
    for reply in replies:
        cells.setdefault((category_of(reply), reply.decision.expert), []).append(reply)
    return {
        "row_title": "category",
        "column_title": "expert that answered",
        "measure": "mean score",
        "rows": rows,
        "columns": columns,
        "cells": [[_cell(cells.get((row, column)), seed=seed) for column in columns] for row in rows],
    }


def _cell(replies: Sequence[Reply] | None, *, seed: int) -> Mapping[str, Any] | None:
    return _score(replies, seed=seed).as_dict() if replies else None


def _score(replies: Sequence[Reply], *, seed: int) -> Figure:
    return mean_figure(np.array([reply.grade.score for reply in replies], dtype=np.float64), seed=seed)


def _confusion(pairs: Sequence[tuple[str, str]]) -> dict[str, dict[str, int]]:
    names = sorted({name for pair in pairs for name in pair})
    counts = Counter(pairs)
    return {truth: {sent: counts[truth, sent] for sent in names} for truth in names}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"
