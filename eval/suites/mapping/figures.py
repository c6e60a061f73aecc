"""The figures of the suite, by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eval.findings import Figures, PerQuery
from eval.metrics import UNDEFINED, Figure
from eval.metrics.arrays import Reals
from eval.metrics.cost_quality import arena_score, gap_closed
from eval.suites.mapping.calls import Pair, call_figures, gains
from eval.suites.mapping.judging import Intervals, Judged
from eval.suites.mapping.pool import USD
from eval.suites.mapping.tradeoff import trade_off

__all__ = ["BY_EXAMPLE", "figures_of", "per_query"]

PLAN = "plan"
BY_EXAMPLE = "knn"
"""The predictor of single queries, whose scores order the calls of the strong expert."""
LEARNED = ("category_true", "category_predicted", "knn")
"""Routers beside the plan."""


def figures_of(judged: Judged, pair: Pair | None, intervals: Intervals) -> Figures:
    """All of them; what the data cannot answer is undefined."""
    return {
        **{name: intervals.score(values) for name, values in judged.quality.items()},
        "gap_closed": _gap_closed(judged, PLAN, intervals),
        "gap_closed_of": {name: _gap_closed(judged, name, intervals) for name in LEARNED},
        **_costs(judged, intervals),
        **_active_params(judged, intervals),
        **_trade_offs(judged, intervals),
        **_calls(judged, pair, intervals),
        "experts": {
            expert: intervals.score(judged.pool.scores[:, column]) for column, expert in enumerate(judged.pool.experts)
        },
    }


def per_query(judged: Judged) -> PerQuery:
    """The values whose means the figures are."""
    pool = judged.pool
    values: dict[str, Reals] = dict(judged.quality)
    if pool.costs_usd is not None:
        values["mean_cost"] = judged.price[PLAN]
        values |= {f"cost_of.{name}": price for name, price in judged.price.items() if name != PLAN}
    if (active := _active(judged)) is not None:
        values["avg_active_params"] = active[PLAN]
        values |= {f"active_params_of.{name}": params for name, params in active.items() if name != PLAN}
    values |= {f"experts.{expert}": pool.scores[:, column] for column, expert in enumerate(pool.experts)}
    return PerQuery(ids=pool.ids, values=values)


def _gap_closed(judged: Judged, name: str, intervals: Intervals) -> Figure:
    columns = np.column_stack([judged.quality[name], judged.quality["best_single"], judged.quality["oracle"]])
    entering = columns[~np.isnan(columns).any(axis=1)]
    if not len(entering):
        return UNDEFINED
    return intervals.of(len(entering)).of_means(entering, lambda means: gap_closed(*means.tolist()))


def _costs(judged: Judged, intervals: Intervals) -> Figures:
    if judged.pool.costs_usd is None:
        return {"mean_cost": UNDEFINED, "arena_score": UNDEFINED}
    both = np.column_stack([judged.quality[PLAN], judged.price[PLAN]])
    both = both[~np.isnan(both).any(axis=1)]
    score = UNDEFINED
    if len(both):
        score = intervals.of(len(both)).of_means(both, lambda means: arena_score(means[0], usd_per_query=means[1]))
    return {
        "mean_cost": intervals.mean(judged.price[PLAN]),
        "cost_of": {name: intervals.mean(price) for name, price in judged.price.items() if name != PLAN},
        "arena_score": score,
    }


def _active_params(judged: Judged, intervals: Intervals) -> Figures:
    active = _active(judged)
    if active is None:
        return {"avg_active_params": UNDEFINED}
    return {
        "avg_active_params": intervals.mean(active[PLAN]),
        "active_params_of": {name: intervals.mean(params) for name, params in active.items() if name != PLAN},
    }


def _active(judged: Judged) -> Mapping[str, Reals] | None:
    """Billions of parameters that each query passes through, by name, [n]."""
    params = judged.pool.active_params_b
    if params is None:
        return None
    active = {name: np.where(chosen < 0, np.nan, params[chosen]) for name, chosen in judged.chosen.items()}
    active["random"] = np.full(len(judged.pool.ids), params.mean())
    return {name: active[name] for name in judged.quality}


def _trade_offs(judged: Judged, intervals: Intervals) -> Figures:
    """Only in dollars: RouterBench's measure is of money."""
    pool = judged.pool
    plan, nearest = (trade_off(pool, judged.routes.sweeps[name]) for name in (PLAN, BY_EXAMPLE))
    if plan is None or nearest is None or pool.prices is None or pool.prices.unit != USD:
        return {"aiq": UNDEFINED, "aiq_zero": UNDEFINED}
    return {
        "aiq": plan.aiq(intervals),
        "aiq_zero": plan.aiq_zero(intervals),
        "aiq_gain": plan.aiq_gain(intervals),
        "aiq_of": {BY_EXAMPLE: nearest.aiq(intervals)},
    }


def _calls(judged: Judged, pair: Pair | None, intervals: Intervals) -> Figures:
    if pair is None:
        return {"apgr": UNDEFINED, "cpt50": UNDEFINED, "cpt80": UNDEFINED}
    preference = {name: gains(expected, pair) for name, expected in judged.routes.expected.items()}
    figures = call_figures(judged.pool, pair, preference.pop(BY_EXAMPLE), intervals)
    others = {
        name: call_figures(judged.pool, pair, gain, intervals, names=("apgr",))["apgr"]
        for name, gain in preference.items()
        if not np.isnan(gain).any()
    }
    return {**figures, **({"apgr_of": others} if others else {})}
