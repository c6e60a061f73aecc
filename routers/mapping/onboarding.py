"""A new expert's place in a learned mapping, from a few shots; nothing that is known of the others changes.

The newcomer's score is estimated by category (`routers.mapping.newcomer`), and so it gets the credit by which every
mapping is chosen (`routers.mapping.choice`): the best single expert's mean and the lower bound of the gain on it. The
bound is that of the mapping, or of `CONFIDENCE` where that is stricter: few shots are to prove what they promise. Then
the programme runs again, within the budget that the mapping keeps. The best single expert stays the one that
categories are compared with and fall back on; only learning from all grades dethrones it.

Knows no files. What it changes is told by `routers.mapping.change`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from routers.errors import TrainingError
from routers.mapping.budget import Budget
from routers.mapping.choice import Sizes, limits_of
from routers.mapping.frontier import frontier
from routers.mapping.learned import LearnedMapping, Step
from routers.mapping.matrix import Cell
from routers.mapping.milp import SAME, Problem, Solution, solve
from routers.mapping.newcomer import Estimate, Shots, category_prices, estimate
from routers.mapping.shrinkage import Ints, Reals
from routers.mapping.table import Table, table_of

__all__ = ["CONFIDENCE", "LEAST_SHOTS", "Onboarded", "onboard"]

LEAST_SHOTS = 5
CONFIDENCE = 0.8
"""Of the lower bound of the newcomer's gain, one-sided; unless the mapping's own is stricter."""
INTERVAL_Z = 1.96


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Onboarded:
    """The enlarged mapping, and the estimate by which the newcomer got its place; categories as in the mapping."""

    mapping: LearnedMapping
    estimate: Estimate


def onboard(
    mapping: LearnedMapping,
    expert: str,
    shots: Shots,
    *,
    active_params_b: Mapping[str, float] | None = None,
    confidence: float | None = None,
) -> Onboarded:
    """The mapping with one more expert; its group of shots counts in the mapping's categories, others in its experts.

    active_params_b: billions, by expert, needed of all where the mapping's budget or costs are in it. confidence: of
    the lower bound, for experiments.

    Raises:
        TrainingError: the expert is there already, too few shots, or something that the budget limits is not known.
    """
    table = table_of(mapping)
    _check(mapping, expert, shots)
    means = table.mean[:, : len(mapping.experts)]
    known = np.isfinite(means).all(axis=0)
    found = estimate(replace(shots, others=shots.others[:, known]), means[:, known], shares=table.shares)
    newcomer = _Newcomer(
        expert=expert,
        costs_usd=_costs(mapping, table, expert, shots),
        active_params_b=_active(mapping, expert, active_params_b or {}),
        cells=_cells(
            table, found, confidence=max(mapping.confidence, CONFIDENCE) if confidence is None else confidence
        ),
    )
    problem = _problem(mapping, table, newcomer)
    choice = _choice(mapping, table, problem)
    return Onboarded(mapping=_enlarged(mapping, table, newcomer, (problem, choice)), estimate=found)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Newcomer:
    """costs_usd: by category [c]. active_params_b: of all experts and, last, of the newcomer. cells: by category."""

    expert: str
    costs_usd: Reals | None
    active_params_b: Reals | None
    cells: list[Cell]


def _check(mapping: LearnedMapping, expert: str, shots: Shots) -> None:
    problems = []
    if expert in mapping.experts:
        problems.append(f"expert {expert!r} is in the mapping already")
    if len(shots.scores) < LEAST_SHOTS:
        problems.append(f"{len(shots.scores)} graded queries of {expert!r}; at least {LEAST_SHOTS} are needed")
    if mapping.budget.hosted_params_b is not None:
        problems.append("the mapping keeps to hosted_params_b, and sizes are not stored: learn it anew")
    if problems:
        raise TrainingError(problems)


def _costs(mapping: LearnedMapping, table: Table, expert: str, shots: Shots) -> Reals | None:
    """Of a query by category in USD, [c]; None where the mapping knows no costs."""
    if table.costs_usd is None:
        return None
    costs = category_prices(shots, table.costs_usd[:, : len(mapping.experts)].mean(axis=1))
    if costs is None:
        raise TrainingError([f"no shot says what {expert!r} costs (cost_usd); say it, as of others; 0 if nothing"])
    return costs


def _active(mapping: LearnedMapping, expert: str, sizes: Mapping[str, float]) -> Reals | None:
    """Billions of each expert, the newcomer last; None where they are neither limited nor a price."""
    if mapping.budget.active_params_b is None and mapping.cost_unit != "active_params_b":
        return None
    names = (*mapping.experts, expert)
    if lacking := [name for name in names if name not in sizes]:
        raise TrainingError([f"active_params_b of {name!r} is needed: the mapping keeps to it" for name in lacking])
    return np.array([sizes[name] for name in names], dtype=np.float64)


def _cells(table: Table, found: Estimate, *, confidence: float) -> list[Cell]:
    """By category, without costs. The reference's doubt counts in the gain as if the newcomer's were apart from it."""
    gain = found.mean - table.mean[:, table.reference]
    doubt = np.hypot(found.sd, table.sd[:, table.reference])
    columns = {
        "mean": found.mean,
        "low": np.clip(found.mean - INTERVAL_Z * found.sd, 0.0, 1.0),
        "high": np.clip(found.mean + INTERVAL_Z * found.sd, 0.0, 1.0),
        "gain": gain,
        "gain_low": gain - float(ndtri(confidence)) * doubt,
    }
    return [
        Cell(n=int(n), **{name: float(column[row]) for name, column in columns.items()})
        for row, n in enumerate(found.n)
    ]


def _problem(mapping: LearnedMapping, table: Table, newcomer: _Newcomer) -> Problem:
    """The programme of the enlarged mapping; the newcomer's column is the last, so that it wins no tie."""
    members = np.zeros((len(table.columns) + 1, len(mapping.experts) + 1), dtype=np.bool_)
    members[:-1, :-1] = table.members
    members[-1, -1] = True
    usd, active = None, newcomer.active_params_b
    if newcomer.costs_usd is not None and table.costs_usd is not None:
        usd = np.column_stack([table.costs_usd, newcomer.costs_usd])
    prices = usd
    if mapping.cost_unit == "active_params_b" and active is not None:
        prices = np.tile(members @ active, (len(table.shares), 1))
    shell = Problem(
        shares=table.shares,
        value=np.column_stack([table.credit, np.full(len(table.shares), -np.inf)]),
        members=members,
        cost=prices,
        limits=limits_of(
            Budget(**mapping.budget.model_dump()),
            Sizes(active=active),
            shares=table.shares,
            members=members,
            costs=usd,
        ),
    )
    value = shell.value.copy()
    value[:, len(mapping.experts) : -1] = _fused(mapping, table, shell)
    gain_low = np.array([cell.gain_low for cell in newcomer.cells], dtype=np.float64)
    value[:, -1] = table.mean[:, table.reference] + gain_low
    return replace(shell, value=value)


def _fused(mapping: LearnedMapping, table: Table, shell: Problem) -> Reals:
    """Credit of the fuse plans, [c, fused]: that of the single expert that they were proven against, and their gain.

    Only of plans that were proven against the expert whom the budget leads to, and of those that are chosen already:
    of the others it is not stored whether they would do harm.
    """
    gains = table.gain_low[:, len(mapping.experts) :]
    if not (gains > 0).any():
        return np.full(gains.shape, -np.inf)
    singles = solve(shell).choice
    chosen = mapping.columns_at(len(mapping.frontier))
    credit = np.full(gains.shape, -np.inf)
    for row, category in enumerate(mapping.categories):
        for at, name in enumerate(mapping.fused):
            over = mapping.cells[category].get(name, Cell(n=0)).over
            against = singles[row] if over is None else mapping.experts.index(over)
            if gains[row, at] > 0 and (against == singles[row] or chosen[category] == name):
                credit[row, at] = shell.value[row, against] + gains[row, at]
    return credit


def _choice(mapping: LearnedMapping, table: Table, problem: Problem) -> Solution:
    """What the programme says, or the mapping's own choice where that is as good."""
    position = {column: place for place, column in enumerate(table.columns)}
    at = mapping.columns_at(len(mapping.frontier))
    before: Ints = np.array([position[at[category]] for category in mapping.categories], dtype=np.intp)
    after = solve(problem)
    rows = np.arange(len(before))
    won = problem.shares @ (problem.value[rows, after.choice] - problem.value[rows, before])
    return after if won > SAME else Solution(before, proven=mapping.proven)


def _enlarged(
    mapping: LearnedMapping, table: Table, newcomer: _Newcomer, solved: tuple[Problem, Solution]
) -> LearnedMapping:
    problem, choice = solved
    expert, costs = newcomer.expert, newcomer.costs_usd
    credit = np.column_stack([table.credit[:, : len(mapping.experts)], problem.value[:, -1]])
    prices = np.zeros(problem.value.shape) if problem.cost is None else problem.cost
    leader, *others = mapping.general_ranking
    ranking, cells = {}, {}
    for row, category in enumerate(mapping.categories):
        ranking[category] = _inserted(mapping, mapping.ranking[category], expert, (credit[row], prices[row]))
        cost = None if costs is None else float(costs[row])
        cells[category] = {**mapping.cells[category], expert: newcomer.cells[row].model_copy(update={"cost_usd": cost})}
    overall = (table.shares @ credit, table.shares @ prices)
    return LearnedMapping.model_validate(
        {
            **{name: getattr(mapping, name) for name in LearnedMapping.model_fields},
            "experts": (*mapping.experts, expert),
            "ranking": ranking,
            "general_ranking": (leader, *_inserted(mapping, tuple(others), expert, overall)),
            "frontier": _frontier(mapping, problem, choice, (*table.columns, expert)),
            "cells": cells,
            "proven": choice.proven,
        }
    )


def _inserted(
    mapping: LearnedMapping, ranking: tuple[str, ...], expert: str, worth: tuple[Reals, Reals]
) -> tuple[str, ...]:
    """A ranking with the newcomer before the first expert that it is better than, or as good as and cheaper.

    worth: credit and price of each column, the newcomer the last of both.
    """
    credit, prices = worth

    def key(place: int) -> tuple[float, float]:
        return round(float(credit[place]), 9), -float(prices[place])

    keys = [key(mapping.experts.index(name)) for name in ranking]
    at = next((place for place, other in enumerate(keys) if key(-1) > other), len(ranking))
    return (*ranking[:at], expert, *ranking[at:])


def _frontier(
    mapping: LearnedMapping, problem: Problem, choice: Solution, columns: tuple[str, ...]
) -> tuple[Step, ...]:
    """As it was where the newcomer is on none of its steps."""
    points = frontier(problem.value, problem.cost, shares=problem.shares, best=choice.choice, keeps=problem.keeps)
    newcomer = len(columns) - 1
    at = mapping.columns_at(len(mapping.frontier))
    same = all(columns[column] == at[name] for name, column in zip(mapping.categories, choice.choice, strict=True))
    if same and not any(column == newcomer for point in points for _, column in point.changes):
        return mapping.frontier
    return tuple(
        Step(
            cost=point.cost,
            credit=point.credit,
            changes={mapping.categories[category]: columns[column] for category, column in point.changes},
        )
        for point in points
    )
