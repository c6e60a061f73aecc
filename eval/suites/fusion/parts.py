"""What a report draws of the suite: cost and quality, categories by method, drafts, where the policy loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.metrics import Figure
from eval.metrics.arrays import Reals
from eval.metrics.cost_quality import Hull, convex_hull
from eval.suites.fusion.drafts import Drafted
from eval.suites.fusion.figures import Means
from eval.suites.fusion.gathering import Gathered
from eval.suites.fusion.methods import BEST_SINGLE, METHODS, ORACLE, POLICY, RANDOM_FILTER, Learned

__all__ = ["parts_of"]

MOST_SLICES = 10
MOST_EXAMPLES = 3
LONGEST_QUERY = 300
LONGEST_ANSWER = 40
MOST_DRAFTS = 12
"""So many drafts of an example are named."""
NOBODY = "no answer"


def parts_of(data: Drafted, found: Gathered, learned: Sequence[Learned], *, means: Means, seed: int) -> dict[str, Any]:
    """Frontier, heat map, slices, curve of drafts, and the plans that were learned."""
    return {
        "frontier": _frontier(data, found, means),
        "heat_map": _heat_map(data, found, seed=seed),
        "slices": _slices(data, found, seed=seed),
        "drafts_curve": _curve(found, means),
        "plans": _plans(learned),
    }


def _frontier(data: Drafted, found: Gathered, means: Means) -> dict[str, Any]:
    """The unit of cost is the call, whoever is called."""
    one = means.amount(np.ones(len(found.rows)))
    points = [
        _point(expert, "expert", one, means.share(data.scores[found.rows, at]))
        for at, expert in enumerate(data.experts)
    ]
    kinds = {ORACLE: "oracle", RANDOM_FILTER: "random"}
    points += [
        _point(name, kinds.get(name, "router"), means.amount(found.calls[name]), means.share(found.scores[name]))
        for name in METHODS
        if name != BEST_SINGLE
    ]
    routed = [name for name in METHODS if name not in kinds]
    hull = convex_hull(
        np.array([found.calls[name].mean() for name in routed]),
        np.array([found.scores[name].mean() for name in routed]),
    )
    experts = data.scores[found.rows].mean(axis=0)
    return {
        "points": points,
        "hull": _corners(hull),
        "zero_hull": _corners(convex_hull(np.ones(len(experts)), experts)),
        "cost_unit": "calls a query",
    }


def _point(name: str, kind: str, cost: Figure, quality: Figure) -> dict[str, Any]:
    return {"name": name, "kind": kind, "cost": cost.as_dict(), "quality": quality.as_dict()}


def _corners(hull: Hull) -> dict[str, list[float]]:
    return {"costs": hull.costs.tolist(), "qualities": hull.qualities.tolist()}


def _heat_map(data: Drafted, found: Gathered, *, seed: int) -> dict[str, Any]:
    cells = []
    categories = _positions(data, found)
    for rows in categories.values():
        means = Means(len(rows), seed=seed)
        cells.append([means.share(found.scores[name][rows]).as_dict() for name in METHODS])
    return {
        "row_title": "category",
        "column_title": "method",
        "measure": "mean score",
        "rows": list(categories),
        "columns": list(METHODS),
        "cells": cells,
    }


def _positions(data: Drafted, found: Gathered) -> Mapping[str, Any]:
    """Of the judged queries, by category."""
    names = np.array([data.categories[row] for row in found.rows.tolist()])
    return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}


def _curve(found: Gathered, means: Means) -> dict[str, Any]:
    return {
        "drafts": list(found.curve_scores),
        "accuracy": [means.share(scores).as_dict() for scores in found.curve_scores.values()],
        "calls": [float(calls.mean()) for calls in found.curve_calls.values()],
    }


def _plans(learned: Sequence[Learned]) -> dict[str, list[str]]:
    """By category, what the policy of each split does there."""
    categories = sorted({name for one in learned for name in one.categories})
    return {category: [_plan(one, category) for one in learned] for category in categories}


def _plan(learned: Learned, category: str) -> str:
    mapping = learned.policy.mapping
    column = mapping.column(category)
    if column is None or column not in mapping.fused:
        return mapping.expert(category)
    return f"{column}: {' + '.join(mapping.plan(category).experts)}, gain {mapping.cells[category][column].gain_text()}"


def _slices(data: Drafted, found: Gathered, *, seed: int) -> list[dict[str, Any]]:
    """The categories where the policy loses to the best single expert, the one where it loses most first."""
    change = found.scores[POLICY] - found.scores[BEST_SINGLE]
    losses = {name: rows for name, rows in _positions(data, found).items() if change[rows].mean() < 0}
    worst = sorted(losses, key=lambda name: (change[losses[name]].mean(), name))[:MOST_SLICES]
    return [
        {
            "slice": f"category = {name}",
            "measure": "score of the policy less that of the best single expert",
            "figure": Means(len(losses[name]), seed=seed).amount(change[losses[name]]).as_dict(),
            "examples": _examples(data, found, losses[name], change),
        }
        for name in worst
    ]


def _examples(data: Drafted, found: Gathered, rows: Any, change: Reals) -> list[dict[str, str]]:
    lost = sorted((row for row in rows.tolist() if change[row] < 0), key=lambda row: change[row])[:MOST_EXAMPLES]
    return [_example(data, found, row) for row in lost]


def _example(data: Drafted, found: Gathered, row: int) -> dict[str, str]:
    record = data.records[found.rows[row]]
    single, policy = int(found.winner[BEST_SINGLE][row]), int(found.winner[POLICY][row])
    said = {expert: _answer(record.drafts[expert].answer) for expert in data.experts}
    drafts = [f"{expert}: {answer}" for expert, answer in said.items()]
    more = f" and {len(drafts) - MOST_DRAFTS} more" if len(drafts) > MOST_DRAFTS else ""
    return {
        "query": _short(record.query, LONGEST_QUERY),
        "expected": _answer(record.gold) if record.gold is not None else said[data.experts[single]],
        "got": said[data.experts[policy]],
        "detail": f"best single is {data.experts[single]}; {', '.join(drafts[:MOST_DRAFTS])}{more}",
    }


def _answer(answer: str | None) -> str:
    return NOBODY if answer is None else _short(answer, LONGEST_ANSWER)


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
