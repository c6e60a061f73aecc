"""What a report draws of the suite: cost and quality, who is good at what, and where the plan does worst."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eval.metrics.arrays import IntArray
from eval.metrics.cost_quality import Hull
from eval.suites.mapping.calls import Pair, call_part, gains
from eval.suites.mapping.figures import BY_EXAMPLE, PLAN
from eval.suites.mapping.judging import Intervals, Judged
from eval.suites.mapping.tradeoff import trade_off

__all__ = ["parts_of"]

MOST_SLICES = 10
MOST_HARMED = 5
"""Of the slices, how many are such as do worse than the best single expert; the rest fall short of the oracle."""
MOST_EXAMPLES = 3
LEAST_QUERIES = 5
"""A category with fewer is no slice, unless all are like that: one query that went wrong says little."""
LONGEST_QUERY = 300
OWN_KINDS = {"random": "random", "oracle": "oracle"}


def parts_of(judged: Judged, pair: Pair | None, intervals: Intervals) -> dict[str, Any]:
    """Those that the data have: `frontier` with prices, `heat_map` with categories, `calls` with a pair."""
    parts: dict[str, Any] = {"slices": _slices(judged, intervals)}
    if (found := _frontier(judged, intervals)) is not None:
        parts["frontier"] = found
    if any(category is not None for category in judged.pool.categories):
        parts["heat_map"] = _heat_map(judged, intervals)
    if pair is not None:
        preference = gains(judged.routes.expected[BY_EXAMPLE], pair)
        parts["calls"] = call_part(judged.pool, pair, preference)
    return parts


def _frontier(judged: Judged, intervals: Intervals) -> dict[str, Any] | None:
    pool = judged.pool
    found = trade_off(pool, judged.routes.sweeps[PLAN])
    if found is None or pool.prices is None:
        return None
    priced = pool.priced
    prices = {
        **{("expert", name): pool.prices.values[:, column] for column, name in enumerate(pool.experts)},
        **{(OWN_KINDS.get(name, "router"), name): price for name, price in judged.price.items()},
    }
    scores = {
        **{("expert", name): pool.scores[:, column] for column, name in enumerate(pool.experts)},
        **{(OWN_KINDS.get(name, "router"), name): quality for name, quality in judged.quality.items()},
    }
    points = [
        {
            "name": name,
            "kind": kind,
            "cost": intervals.mean(prices[kind, name][priced]).as_dict(),
            "quality": intervals.score(scores[kind, name][priced]).as_dict(),
        }
        for kind, name in prices
        if name != "best_single" and not np.isnan(scores[kind, name][priced]).any()
    ]
    return {
        "points": points,
        "hull": _corners(found.hull),
        "zero_hull": _corners(found.zero_hull),
        "cost_unit": pool.prices.unit,
    }


def _corners(hull: Hull) -> dict[str, list[float]]:
    return {"costs": hull.costs.tolist(), "qualities": hull.qualities.tolist()}


def _heat_map(judged: Judged, intervals: Intervals) -> dict[str, Any]:
    groups = dict(_groups(judged))
    return {
        "row_title": "category",
        "column_title": "expert",
        "measure": "mean score",
        "rows": list(groups),
        "columns": list(judged.pool.experts),
        "cells": [
            [intervals.score(column).as_dict() for column in judged.pool.scores[rows].T] for rows in groups.values()
        ],
    }


def _groups(judged: Judged) -> Iterator[tuple[str, IntArray]]:
    """The rows of each category, by its name."""
    names = np.array([category or "" for category in judged.pool.categories])
    known = np.array([category is not None for category in judged.pool.categories])
    for name in sorted(set(names[known].tolist())):
        yield name, np.flatnonzero(known & (names == name))


def _slices(judged: Judged, intervals: Intervals) -> list[dict[str, Any]]:
    """Categories where the plan does worse than the best single expert, then those where it falls shortest."""
    groups = {f"category = {name}": rows for name, rows in _groups(judged)}
    groups = groups or {"all queries": np.arange(len(judged.pool.ids))}
    large = {name: rows for name, rows in groups.items() if len(rows) >= LEAST_QUERIES} or groups
    harmed = _losses(judged, large, "best_single", intervals)[:MOST_HARMED]
    return [*harmed, *_losses(judged, large, "oracle", intervals)][:MOST_SLICES]


def _losses(judged: Judged, groups: dict[str, IntArray], other: str, intervals: Intervals) -> list[dict[str, Any]]:
    """Groups in which the plan scores less than the other, the worst first."""
    change = judged.quality[PLAN] - judged.quality[other]
    found: list[dict[str, Any]] = []
    for name, rows in groups.items():
        if change[rows].mean() < 0:
            worst = rows[np.argsort(change[rows], kind="stable")][:MOST_EXAMPLES]
            found.append(
                {
                    "slice": name,
                    "measure": f"score of the plan less that of {other.replace('_', ' ')}",
                    "figure": intervals.mean(change[rows]).as_dict(),
                    "examples": [_example(judged, row, other) for row in worst.tolist() if change[row] < 0],
                }
            )
    found.sort(key=lambda one: (one["figure"]["value"], -one["figure"]["n"], one["slice"]))
    return found


def _example(judged: Judged, row: int, other: str) -> dict[str, str]:
    query = judged.pool.records[row].query
    predicted = judged.routes.predicted[row]
    taken_as = f", taken as {predicted}" if predicted else ""
    return {
        "query": query if len(query) <= LONGEST_QUERY else f"{query[: LONGEST_QUERY - 1]}…",
        "expected": _choice(judged, row, other),
        "got": _choice(judged, row, PLAN),
        "detail": f"{judged.pool.ids[row]}{taken_as}",
    }


def _choice(judged: Judged, row: int, name: str) -> str:
    expert = judged.pool.experts[judged.chosen[name][row]]
    return f"{expert}, score {judged.quality[name][row]:g}"
