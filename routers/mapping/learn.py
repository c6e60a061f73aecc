"""Graded outcomes -> a learned mapping within a budget. Knows what was scored, not what was asked.

`routers.mapping.choice` says how the choice is made; here its arrays become plans with names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from routers.errors import TrainingError
from routers.mapping.budget import Budget
from routers.mapping.choice import Choice, Sizes, choose
from routers.mapping.frontier import frontier
from routers.mapping.learned import CostUnit, Fused, LearnedMapping, Limits, Step
from routers.mapping.matrix import Cell
from routers.mapping.outcomes import FuseColumn, Outcomes, outcomes_of
from routers.mapping.scores import SAME
from routers.mapping.shrinkage import Reals

__all__ = ["Budget", "FuseColumn", "LearnedMapping", "learn_mapping"]


def learn_mapping(
    categories: Sequence[str],
    experts: Sequence[str],
    scores: npt.ArrayLike,
    *,
    costs_usd: npt.ArrayLike | None = None,
    active_params_b: Sequence[float] | None = None,
    hosted_params_b: Sequence[float] | None = None,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    fuse_columns: Sequence[FuseColumn] = (),
    router_params_b: float = 0.0,
    confidence: float | None = None,
    fuse_confidence: float = 0.95,
    fallbacks: int = 8,
    time_limit_s: float = 30.0,
    seed: int = 0,
) -> LearnedMapping:
    """The mapping that graded queries teach.

    categories: of each query [n]. scores: 0 to 1, [n, e], NaN where an expert was not asked. costs_usd: [n, e].
    active_params_b, hosted_params_b: of each expert [e]. router_params_b: active parameters of the router itself.
    confidence: of the experts' lower bounds, one-sided, 0.5 to 1; without it the one that routes best on held-out
    queries. fuse_confidence: of the gain of fuse plans, see `routers.mapping.harm`. fallbacks: at most so many after
    the chosen expert. seed: of the held-out folds.

    Raises:
        TrainingError: the outcomes cannot be learned from, or lack what the budget limits.
        InfeasibleBudget: no mapping keeps within the budget.
        RouterError: no mapping was found in time.
    """
    outcomes = outcomes_of(categories, experts, scores, costs_usd=costs_usd, fuse_columns=fuse_columns)
    sizes = _sizes(outcomes, active=active_params_b, hosted=hosted_params_b, router=router_params_b)
    _check_confidence(confidence=confidence, fuse_confidence=fuse_confidence)
    choice = choose(
        outcomes,
        sizes,
        budget,
        confidence=confidence,
        fuse_confidence=fuse_confidence,
        time_limit_s=time_limit_s,
        seed=seed,
    )
    hosted = _hosted(choice, sizes, budget)
    return LearnedMapping(
        experts=outcomes.experts,
        fused=_fused(outcomes, choice, fuse_columns),
        best_single=outcomes.experts[choice.table.reference],
        confidence=choice.table.confidence,
        fuse_confidence=fuse_confidence,
        budget=Limits(**asdict(budget)),
        cost_unit=_cost_unit(outcomes, sizes),
        queries=len(outcomes.group),
        drafted=_drafted(outcomes),
        ranking=_rankings(outcomes, choice, hosted),
        general_ranking=_general(outcomes, choice, hosted),
        frontier=_frontier(outcomes, choice, hosted),
        cells=_cells(outcomes, choice, fuse_columns),
        fallbacks=fallbacks,
        shares=dict(zip(outcomes.categories, outcomes.shares.tolist(), strict=True)),
        proven=choice.solution.proven,
    )


def _check_confidence(**given: float | None) -> None:
    """Below even odds a bound bounds nothing."""
    wrong = {name: value for name, value in given.items() if value is not None and not 0.5 <= value < 1}  # noqa: PLR2004
    if wrong:
        raise TrainingError([f"{name}: {value} is not from 0.5 to below 1" for name, value in wrong.items()])


def _sizes(
    outcomes: Outcomes, *, active: Sequence[float] | None, hosted: Sequence[float] | None, router: float
) -> Sizes:
    problems = []
    for name, sizes in (("active_params_b", active), ("hosted_params_b", hosted)):
        if sizes is not None and len(sizes) != len(outcomes.experts):
            problems.append(f"{name}: {len(outcomes.experts)} experts need one each; got {len(sizes)}")
        elif sizes is not None and not all(0 <= size < np.inf for size in sizes):
            problems.append(f"{name}: sizes are 0 or more and known; got {list(sizes)}")
    if not 0 <= router < np.inf:
        problems.append(f"router_params_b: {router} is not 0 or more")
    if problems:
        raise TrainingError(problems)
    return Sizes(
        active=None if active is None else np.asarray(active, dtype=np.float64),
        hosted=None if hosted is None else np.asarray(hosted, dtype=np.float64),
        router=router,
    )


def _hosted(choice: Choice, sizes: Sizes, budget: Budget) -> npt.NDArray[np.bool_]:
    """Who is there to fall back on, [e]: those that plans call, and the best others that there is room for."""
    credit = _overall_credit(choice)
    if budget.hosted_params_b is None or sizes.hosted is None:
        return credit > -np.inf
    hosted = choice.problem.hosted(choice.solution.choice)
    for expert in np.argsort(-credit, kind="stable"):
        room = budget.hosted_params_b - sizes.hosted[hosted].sum()
        hosted[expert] |= credit[expert] > -np.inf and sizes.hosted[expert] <= room
    return hosted


def _overall_credit(choice: Choice) -> Reals:
    """Of each expert [e], -inf where nothing is known of it; the best single one leads."""
    experts = choice.problem.members.shape[1]
    credit: Reals = choice.table.shares @ choice.table.credit[:, :experts]
    credit[choice.table.reference] = np.inf
    return credit


def _ranked(names: Sequence[str], credit: Reals, price: Reals, usable: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """The usable ones by credit, the cheaper first among equals, then as they stand."""
    order = np.lexsort((price, -np.round(credit, 9)))
    return tuple(names[position] for position in order if usable[position])


def _rankings(outcomes: Outcomes, choice: Choice, hosted: npt.NDArray[np.bool_]) -> dict[str, tuple[str, ...]]:
    experts = len(outcomes.experts)
    prices = choice.problem.cost if choice.problem.cost is not None else np.zeros(choice.problem.value.shape)
    rows = zip(outcomes.categories, choice.table.credit[:, :experts], prices[:, :experts], strict=True)
    return {category: _ranked(outcomes.experts, credit, price, hosted) for category, credit, price in rows}


def _general(outcomes: Outcomes, choice: Choice, hosted: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Who answers what was not learned: the best single expert if it is hosted, then the others by overall credit."""
    credit = _overall_credit(choice)
    return _ranked(outcomes.experts, credit, np.zeros(len(credit)), hosted)


def _fused(outcomes: Outcomes, choice: Choice, columns: Sequence[FuseColumn]) -> dict[str, Fused]:
    trial = choice.trial
    return {
        column.name: Fused(
            members=column.members,
            weights=_weights(column.weights, outcomes.categories),
            verdict=column.verdict,
            n=int(trial.n[at]),
            gain=_known(trial.overall[at]),
            gain_low=_known(trial.overall_low[at]),
            proven=bool(trial.proven[at]),
            confidence=float(trial.held_to[at]),
        )
        for at, column in enumerate(columns)
    }


def _weights(weights: Mapping[str, Sequence[float]], categories: Sequence[str]) -> dict[str, tuple[float, ...]]:
    return {category: tuple(map(float, weights[category])) for category in categories if category in weights}


def _drafted(outcomes: Outcomes) -> int:
    """To so many queries some fuse plan was graded."""
    return int((~np.isnan(outcomes.scores[:, len(outcomes.experts) :])).any(axis=1).sum())


def _cost_unit(outcomes: Outcomes, sizes: Sizes) -> CostUnit | None:
    if outcomes.costs_usd is not None:
        return "usd_per_query"
    return None if sizes.active is None else "active_params_b"


def _frontier(outcomes: Outcomes, choice: Choice, hosted: npt.NDArray[np.bool_]) -> tuple[Step, ...]:
    problem = choice.problem
    away = (problem.members & ~hosted).any(axis=1)
    points = frontier(
        np.where(away, -np.inf, problem.value),
        problem.cost,
        shares=problem.shares,
        best=choice.solution.choice,
        keeps=problem.keeps,
    )
    return tuple(
        Step(
            cost=point.cost,
            credit=point.credit,
            changes={outcomes.categories[category]: outcomes.columns[column] for category, column in point.changes},
        )
        for point in points
    )


def _cells(outcomes: Outcomes, choice: Choice, fused: Sequence[FuseColumn]) -> dict[str, dict[str, Cell]]:
    table, experts = choice.table, len(outcomes.experts)
    gain = np.hstack([table.gain[:, :experts], choice.trial.gain])
    gain_low = np.hstack([table.gain_low[:, :experts], choice.trial.low])
    cost = np.full(gain.shape, np.nan) if table.cost_usd is None else table.cost_usd
    numbers = (table.mean, table.low, table.high, gain, gain_low, cost)
    names = ("mean", "low", "high", "gain", "gain_low", "cost_usd")
    return {
        category: {
            column: Cell(
                n=int(table.n[row, position]),
                **_evidence(outcomes, choice, fused, row=row, position=position),
                **{name: _known(array[row, position]) for name, array in zip(names, numbers, strict=True)},
            )
            for position, column in enumerate(outcomes.columns)
        }
        for row, category in enumerate(outcomes.categories)
    }


def _evidence(
    outcomes: Outcomes, choice: Choice, columns: Sequence[FuseColumn], *, row: int, position: int
) -> dict[str, Any]:
    """Of a fuse plan in a category: with whom it is compared, how often it helped and harmed, and the placebo."""
    at = position - len(outcomes.experts)
    if at < 0:
        return {}
    column, over = columns[at], int(choice.trial.over[row, at])
    here = outcomes.group == row
    single = outcomes.scores[here, over]
    gains = outcomes.scores[here, position] - single
    placebo = None if column.placebo is None else np.asarray(column.placebo, dtype=np.float64)[here] - single
    compared = ~np.isnan(gains) if placebo is None else ~np.isnan(gains) & ~np.isnan(placebo)
    if not compared.any():
        return {"over": outcomes.experts[over]}
    return {
        "over": outcomes.experts[over],
        "compared": int(compared.sum()),
        "helped": int((gains[compared] > SAME).sum()),
        "harmed": int((gains[compared] < -SAME).sum()),
        "counted": float(gains[compared].mean()),
        "placebo": None if placebo is None else float(placebo[compared].mean()),
    }


def _known(number: np.float64) -> float | None:
    return float(number) if np.isfinite(number) else None
