"""What a report draws of the suite: agreement by category and way to judge, and pairs that were judged wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.metrics.arrays import Reals
from eval.metrics.means import mean_figure
from eval.suites.judges.cases import Case
from eval.suites.judges.figures import Judging, Name
from eval.suites.judges.leanings import Leaning, agrees

__all__ = ["heat_map", "slices"]

ALL = "no category"
MOST_EXAMPLES = 3
LONGEST = 300


def heat_map(cases: Sequence[Case], values: Mapping[Name, Reals], *, seed: int) -> dict[str, Any]:
    """Categories as rows, ways to judge as columns."""
    rows = list(dict.fromkeys(_category(case) for case in cases))
    columns = [name for name in values if name[0] == "agreement"]
    return {
        "row_title": "category",
        "column_title": "judged by",
        "measure": "agreement",
        "rows": rows,
        "columns": [" ".join(name[1:]) for name in columns],
        "cells": [[_cell(cases, values[name], row, seed=seed) for name in columns] for row in rows],
    }


def slices(judging: Judging, *, seed: int) -> list[dict[str, Any]]:
    """Categories, worst first, with pairs that the fitted panel put in the wrong order."""
    by_category: dict[str, list[tuple[Leaning, float]]] = {}
    for one in judging.leanings:
        weights = judging.fitted[one.row][one.panel]
        lean = sum(weight * one.criteria[name] for name, weight in weights.items())
        by_category.setdefault(_category(judging.heard[one.row].case), []).append((one, lean))
    found = [
        {
            "slice": f"category = {category}",
            "measure": "agreement",
            "figure": mean_figure(agrees([lean for _, lean in pairs]), seed=seed).as_dict(),
            "examples": [
                _example(judging, one, lean)
                for one, lean in sorted(pairs, key=lambda pair: pair[1])[:MOST_EXAMPLES]
                if lean < 0
            ],
        }
        for category, pairs in by_category.items()
    ]
    return sorted(found, key=lambda one: one["figure"]["value"])


def _category(case: Case) -> str:
    return case.record.category or ALL


def _cell(cases: Sequence[Case], values: Reals, category: str, *, seed: int) -> dict[str, Any] | None:
    mine = values[[_category(case) == category for case in cases]]
    return None if np.isnan(mine).all() else mean_figure(mine, seed=seed).as_dict()


def _example(judging: Judging, one: Leaning, lean: float) -> dict[str, str]:
    case = judging.heard[one.row].case
    better, worse = (f"{case.experts[at]} ({case.gold[at]:g}): {case.texts[at]}" for at in one.pair)
    by = ", ".join(f"{name} {value:+.2f}" for name, value in one.criteria.items())
    return {
        "query": _short(case.record.query),
        "expected": _short(better),
        "got": _short(worse),
        "detail": f"leans by {lean:+.2f} ({by})",
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
