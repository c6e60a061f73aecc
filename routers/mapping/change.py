"""What a new expert changes: by category the plan before and after, and what that is worth. Knows no files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from routers.mapping.learned import LearnedMapping
from routers.mapping.onboarding import Onboarded
from routers.mapping.plan import Plan
from routers.mapping.shrinkage import Reals
from routers.mapping.table import Table, table_of

__all__ = ["Change", "Gain", "Verdict", "changes", "total"]

Verdict = Literal["gains", "loses", "same"]
INTERVAL_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """By how much more is expected to be scored, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One category. shots: of the newcomer there. newcomer: its expected score, as (mean, low, high).

    before, after: the plan. gain: of the plan after on the one before. cost_before, cost_after: of a query, in the
    mapping's unit; None where costs are not known.
    """

    category: str
    share: float
    shots: int
    newcomer: tuple[float, float, float]
    before: Plan
    after: Plan
    gain: Gain
    cost_before: float | None
    cost_after: float | None

    @property
    def verdict(self) -> Verdict:
        """By the expected score; a plan that only costs less is the same."""
        if self.gain.value == 0:
            return "same"
        return "gains" if self.gain.value > 0 else "loses"


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """Positions of the columns before and after, of one category."""

    before: int
    after: int


def changes(mapping: LearnedMapping, onboarded: Onboarded, *, sizes: dict[str, float] | None = None) -> list[Change]:
    """Every category of the mapping, in its order. sizes: billions of active parameters, where costs are in them."""
    new = onboarded.mapping
    expert = new.experts[-1]
    table = table_of(new)
    costs = _prices(new, table, sizes or {})
    found = []
    for row, (category, turn) in enumerate(_turns(mapping, onboarded).items()):
        cell = new.cells[category][expert]
        value, sd = _gain(table, turn, row)
        found.append(
            Change(
                category=category,
                share=float(table.shares[row]),
                shots=cell.n,
                newcomer=(cell.mean or 0.0, cell.low or 0.0, cell.high or 0.0),
                before=mapping.plans[category],
                after=new.plans[category],
                gain=Gain(value=value, low=value - INTERVAL_Z * sd, high=value + INTERVAL_Z * sd),
                cost_before=None if costs is None else float(costs[row, turn.before]),
                cost_after=None if costs is None else float(costs[row, turn.after]),
            )
        )
    return found


def total(mapping: LearnedMapping, onboarded: Onboarded) -> Gain:
    """Over the traffic of all categories; the newcomer's estimates in several of them err together."""
    new = onboarded.mapping
    table = table_of(new)
    newcomer = len(new.experts) - 1
    value, variance, weights = 0.0, 0.0, np.zeros(len(table.shares))
    for row, turn in enumerate(_turns(mapping, onboarded).values()):
        gain, sd = _gain(table, turn, row)
        value += float(table.shares[row]) * gain
        others = sd**2 - (onboarded.estimate.sd[row] ** 2 if turn.after == newcomer else 0.0)
        variance += float(table.shares[row]) ** 2 * max(others, 0.0)
        weights[row] = table.shares[row] if turn.after == newcomer else 0.0
    sd = float(np.sqrt(variance + weights @ onboarded.estimate.covariance @ weights))
    return Gain(value=value, low=value - INTERVAL_Z * sd, high=value + INTERVAL_Z * sd)


def _turns(mapping: LearnedMapping, onboarded: Onboarded) -> dict[str, _Turn]:
    new = onboarded.mapping
    position = {column: place for place, column in enumerate((*new.experts, *new.fused))}
    before, after = mapping.columns_at(len(mapping.frontier)), new.columns_at(len(new.frontier))
    return {name: _Turn(position[before[name]], position[after[name]]) for name in mapping.categories}


def _gain(table: Table, turn: _Turn, row: int) -> tuple[float, float]:
    """With its standard deviation, as if the two were independent: on the same queries it is less."""
    if turn.before == turn.after:
        return 0.0, 0.0
    value = table.mean[row, turn.after] - table.mean[row, turn.before]
    return float(value), float(np.hypot(table.sd[row, turn.after], table.sd[row, turn.before]))


def _prices(mapping: LearnedMapping, table: Table, sizes: dict[str, float]) -> Reals | None:
    if mapping.cost_unit == "usd_per_query":
        return table.costs_usd
    if mapping.cost_unit is None or not sizes.keys() >= set(mapping.experts):
        return None
    active = table.members @ np.array([sizes[expert] for expert in mapping.experts])
    return np.tile(active, (len(table.shares), 1))
