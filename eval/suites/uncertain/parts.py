"""What a report draws of the suite: plain accuracy by voted label, and queries that went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eval.metrics import share
from eval.metrics.arrays import IntArray
from eval.suites.uncertain.predictions import NOT_ASKED
from eval.suites.uncertain.truths import Truths

__all__ = ["heat_map", "slices"]

MOST_SLICES = 10
MOST_EXAMPLES = 3
LONGEST_QUERY = 300


def heat_map(truths: Truths, said: Mapping[str, IntArray]) -> dict[str, Any]:
    """Voted labels as rows, who predicts as columns."""
    return {
        "row_title": "voted label",
        "column_title": "predicted by",
        "measure": "accuracy",
        "rows": list(truths.labels),
        "columns": list(said),
        "cells": [[_cell(truths, labels, label) for labels in said.values()] for label in range(len(truths.labels))],
    }


def slices(truths: Truths, said: Mapping[str, IntArray]) -> list[dict[str, Any]]:
    """Voted labels by who predicts, worst first, with the wrong answers on which annotators agree most."""
    found: list[dict[str, Any]] = []
    for who, labels in said.items():
        for label, name in enumerate(truths.labels):
            rows = _asked(truths, labels, label)
            wrong = rows[labels[rows] != label]
            worst = wrong[np.argsort(-truths.irn[wrong, label], kind="stable")][:MOST_EXAMPLES]
            if len(rows):
                found.append(
                    {
                        "slice": f"voted label = {name}, predicted by {who}",
                        "measure": "accuracy",
                        "figure": share(len(rows) - len(wrong), len(rows)).as_dict(),
                        "examples": [_example(truths, row, labels[row]) for row in worst.tolist()],
                    }
                )
    found.sort(key=lambda one: one["figure"]["value"])
    return found[:MOST_SLICES]


def _asked(truths: Truths, labels: IntArray, label: int) -> IntArray:
    return np.flatnonzero((truths.voted == label) & (labels != NOT_ASKED))


def _cell(truths: Truths, labels: IntArray, label: int) -> dict[str, Any] | None:
    rows = _asked(truths, labels, label)
    return share(int((labels[rows] == label).sum()), len(rows)).as_dict() if len(rows) else None


def _example(truths: Truths, row: int, said: int) -> dict[str, str]:
    plausible = [f"{name} {part:.2f}" for name, part in zip(truths.labels, truths.irn[row], strict=True) if part > 0]
    query = truths.queries[row].record.query
    return {
        "query": query if len(query) <= LONGEST_QUERY else f"{query[: LONGEST_QUERY - 1]}…",
        "expected": truths.labels[truths.voted[row]],
        "got": truths.labels[said] if said >= 0 else "none of the labels",
        "detail": f"{truths.queries[row].id}: plausibilities {', '.join(plausible)}",
    }
