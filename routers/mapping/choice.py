"""Which column each category gets, within a budget: scores and programme put together. Knows arrays, no plans.

1. The best single expert that the budget allows is what a category gets unless another one is credibly better
   (`routers.mapping.scores`).
2. The programme (`routers.mapping.milp`) gives each category its expert, within the budget.
3. Fuse plans that do no harm (`routers.mapping.harm`) may replace that expert: the programme runs again with them.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, replace

import numpy as np
import numpy.typing as npt

from routers.errors import TrainingError
from routers.mapping.budget import Budget
from routers.mapping.harm import Trial, tried
from routers.mapping.milp import Limit, Problem, Solution, solve
from routers.mapping.outcomes import Outcomes
from routers.mapping.scores import (
    ScoreTable,
    best_single,
    category_costs,
    chosen_confidence,
    score_table,
)
from routers.mapping.shrinkage import Reals

__all__ = ["Choice", "Sizes", "choose", "limits_of"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sizes:
    """In billions of parameters. active, hosted: of each expert [e], None where not known. router: its own active."""

    active: Reals | None = None
    hosted: Reals | None = None
    router: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Choice:
    """What was decided, and on what grounds.

    table: of all columns. problem: of the last programme; its value is the credit, with fuse plans where they do no
    harm at their own cost. trial: of the fuse plans.
    """

    table: ScoreTable
    problem: Problem
    solution: Solution
    trial: Trial


def choose(
    outcomes: Outcomes,
    sizes: Sizes,
    budget: Budget,
    *,
    confidence: float | None,
    fuse_confidence: float,
    time_limit_s: float,
    seed: int,
) -> Choice:
    """The best choice within the budget; raises InfeasibleBudget, or RouterError when time runs out.

    confidence: of the experts' lower bounds; None for the one that routes best on held-out queries.
    """
    experts = len(outcomes.experts)
    prices = _prices(outcomes, sizes)
    shell = Problem(
        shares=outcomes.shares,
        value=np.zeros((len(outcomes.categories), len(outcomes.columns))),
        members=outcomes.members,
        cost=prices,
        limits=limits_of(
            budget, sizes, shares=outcomes.shares, members=outcomes.members, costs=category_costs(outcomes)
        ),
    )
    reference = best_single(outcomes, allowed=_affordable(shell, experts), prices=prices)
    if confidence is None:
        confidence = chosen_confidence(outcomes, reference=reference, seed=seed)
    table = score_table(outcomes, reference=reference, confidence=confidence)
    singles = table.credit
    singles[:, experts:] = -np.inf
    problem = replace(shell, value=singles)
    solution = solve(problem, time_limit_s=time_limit_s)
    trial = tried(outcomes, singles[:, :experts], prices, chosen=solution.choice, confidence=fuse_confidence)
    if (trial.credit > -np.inf).any():
        best = np.where(trial.best, trial.credit, -np.inf)
        solution = solve(replace(shell, value=np.hstack([singles[:, :experts], best])), time_limit_s=time_limit_s)
        problem = replace(shell, value=np.hstack([singles[:, :experts], trial.credit]))
    return Choice(table=table, problem=problem, solution=solution, trial=trial)


def _prices(outcomes: Outcomes, sizes: Sizes) -> Reals | None:
    """What is saved where scores are equal, and along the frontier, [c, k]: money, else active parameters."""
    costs = category_costs(outcomes)
    if costs is not None or sizes.active is None:
        return costs
    return np.tile(outcomes.members @ sizes.active, (len(outcomes.categories), 1))


def limits_of(
    budget: Budget, sizes: Sizes, *, shares: Reals, members: npt.NDArray[np.bool_], costs: Reals | None
) -> list[Limit]:
    """Those that a budget sets, hosting first; raises TrainingError where what it limits is not known.

    shares: [c]. members: [k, e]. costs: in USD, [c, k].
    """
    nowhere, nothing = np.zeros((len(shares), len(members))), np.zeros(members.shape[1])
    shares = shares[:, None]
    limits = []
    if budget.hosted_params_b is not None and sizes.hosted is not None:
        limits.append(Limit("hosted_params_b", budget.hosted_params_b, of_choice=nowhere, of_hosting=sizes.hosted))
    if budget.active_params_b is not None and sizes.active is not None:
        active = shares * (members @ sizes.active)
        limits.append(
            Limit("active_params_b", budget.active_params_b, of_choice=active, of_hosting=nothing, fixed=sizes.router)
        )
    if budget.cost_per_query_usd is not None and costs is not None:
        limits.append(
            Limit("cost_per_query_usd", budget.cost_per_query_usd, of_choice=shares * costs, of_hosting=nothing)
        )
    if len(limits) < sum(limit is not None for limit in astuple(budget)):
        kept = {limit.name for limit in limits}
        lacking = [name for name, limit in asdict(budget).items() if limit is not None and name not in kept]
        raise TrainingError([f"budget: {name} is limited, and no expert's is known" for name in lacking])
    return limits


def _affordable(problem: Problem, experts: int) -> npt.NDArray[np.bool_]:
    """The experts that could answer everything within the budget, [e]; all of them where none could."""
    one = np.zeros(len(problem.shares), dtype=np.intp)
    affordable = np.array([problem.keeps(one + expert) for expert in range(experts)])
    return affordable if affordable.any() else np.ones(experts, dtype=np.bool_)
