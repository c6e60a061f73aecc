"""Figures of replies: means a query with their intervals, by category and by expert."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from eval.findings import Figures, PerQuery
from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.means import mean_figure
from eval.suites.pipeline.asking import Reply

__all__ = ["category_of", "figures_of", "mean_of", "per_query"]

QUANTILES: Mapping[str, float] = MappingProxyType({"p50": 50.0, "p95": 95.0})
UNBOUNDED = frozenset({"latency_s.mean", "cost_usd", "calls"})
"""Figures that are no shares of queries."""


def mean_of(values: Reals, *, seed: int) -> Figure:
    """The mean of what is not NaN, of values that are no shares: where all are 1, it may be more the next time."""
    there = values[~np.isnan(values)]
    return Resampling(len(there), seed=seed).mean(there) if len(there) else UNDEFINED


def category_of(reply: Reply) -> str | None:
    """The category under which a reply is counted: the query's own, else the one it was sent to."""
    return reply.question.record.category or reply.sent_to


def per_query(replies: Sequence[Reply]) -> PerQuery:
    """One value a query under each figure that is a mean over queries; of an expert's score, its own queries."""
    columns = {name: np.array([of(reply) for reply in replies], dtype=np.float64) for name, of in MEASURED.items()}
    categories = [category_of(reply) for reply in replies]
    experts = [reply.decision.expert for reply in replies]
    columns |= _parted("score_by_category", categories, columns["score"])
    columns |= _parted("score_by_expert", experts, columns["score"])
    for expert in _names(experts):
        columns[f"share_by_expert.{expert}"] = np.array([float(one == expert) for one in experts])
    return PerQuery(ids=tuple(reply.question.id for reply in replies), values=columns)


def figures_of(queries: PerQuery, *, seed: int) -> Figures:
    """The mean of every column, and the quantiles of the latency."""
    alone: dict[str, Figure] = {}
    parted: dict[str, dict[str, Figure]] = {}
    for dotted, column in queries.values.items():
        figure = (mean_of if dotted in UNBOUNDED else mean_figure)(column, seed=seed)
        name, _, part = dotted.partition(".")
        if part:
            parted.setdefault(name, {})[part] = figure
        else:
            alone[name] = figure
    times = queries.values["latency_s.mean"]
    resampling = Resampling(len(times), seed=seed)
    for name, percent in QUANTILES.items():
        parted["latency_s"][name] = resampling.of_rows(partial(_percentile, times, percent))
    return {**alone, **parted}


def _percentile(values: Reals, percent: float, rows: IntArray) -> float:
    return float(np.percentile(values[rows], percent))


def _routed(reply: Reply) -> float:
    """NaN where nobody knows where the query belongs, or nothing was classified."""
    if reply.question.category is None or reply.sent_to is None:
        return float("nan")
    return float(reply.sent_to == reply.question.category)


def _fused(reply: Reply) -> float:
    verdict = reply.decision.verdict
    return float(verdict is not None and verdict.kind != "relay")


MEASURED: Mapping[str, Callable[[Reply], float]] = MappingProxyType(
    {
        "score": lambda reply: reply.grade.score,
        "answered": lambda reply: float(reply.failed is None and bool(reply.text.strip())),
        "unanswered": lambda reply: float(reply.grade.answer is None),
        "routed": _routed,
        "fused": _fused,
        "calls": lambda reply: float(len(reply.decision.attempts)),
        "cost_usd": lambda reply: reply.decision.cost_usd,
        "latency_s.mean": lambda reply: reply.decision.total_ms / 1000,
    }
)


def _parted(figure: str, names: Sequence[str | None], values: Reals) -> dict[str, Reals]:
    """One column a name, NaN outside its queries."""
    here = {name: np.array([one == name for one in names]) for name in _names(names)}
    return {f"{figure}.{name}": np.where(rows, values, np.nan) for name, rows in here.items()}


def _names(names: Sequence[str | None]) -> list[str]:
    return sorted({name for name in names if name is not None})
