"""The best column for every category within limits: an exact mixed-integer linear programme.

In the manner of Composition of Experts (arXiv 2412.01868); the formulation is ours. With the traffic share w_c, the
value s[c,k] of answering category c by column k (an expert, or a fuse plan of several), hosted size p_e, active
parameters a_k (of a fuse plan the sum over its members), cost g[c,k] and binary x, y:

    max  sum_c w_c sum_k s[c,k] x[c,k]
    s.t. sum_k x[c,k] = 1                                     one column a category
         x[c,k] <= y_e                                        for each member e of column k
         sum_e p_e y_e <= B                                   hosted size
         a_router + sum_c w_c sum_k a_k x[c,k] <= A           average active parameters
         sum_c w_c sum_k g[c,k] x[c,k] <= G                   average cost of a query

Without a limit that binds it is each category's best column, and no solver runs. Limits are kept to one part in a
million. Columns whose values are within `SAME` are equal: the cheaper is taken, then the one that stands first.
Knows numbers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from routers.errors import InfeasibleBudget, RouterError
from routers.mapping.shrinkage import Ints, Reals

__all__ = ["SAME", "Limit", "Problem", "Solution", "solve"]

SAME = 1e-7
TOLERANCE = 1e-6
SCALE = 1e5
"""HiGHS stops at a gap of 1e-6, whatever the unit: in this one values that differ by `SAME` are told apart."""
INFEASIBLE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """An upper limit on a sum over the choices of the categories and over the experts that are hosted.

    name: of the field of `Budget`. of_choice: what each choice adds, traffic share included, [c, k]. of_hosting: what
    each hosted expert adds, [e]. fixed: what is there whatever is chosen.
    """

    name: str
    at_most: float
    _: KW_ONLY
    of_choice: Reals
    of_hosting: Reals
    fixed: float = 0.0

    @property
    def room(self) -> float:
        """What is left beside the fixed part, with the tolerance."""
        return self.at_most - self.fixed + TOLERANCE * max(abs(self.at_most), np.finfo(np.float64).tiny)

    def used(self, choice: Ints, hosted: npt.NDArray[np.bool_]) -> float:
        """By one column a category, [c], and the hosted experts, [e]."""
        chosen = self.of_choice[np.arange(len(choice)), choice].sum()
        return float(self.fixed + chosen + self.of_hosting[hosted].sum())


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Problem:
    """shares: [c], value: [c, k], -inf where a column may not be chosen. members: bool [k, e]. cost: [c, k] or None."""

    shares: Reals
    value: Reals
    members: npt.NDArray[np.bool_]
    cost: Reals | None = None
    limits: Sequence[Limit] = field(default=())

    def hosted(self, choice: Ints) -> npt.NDArray[np.bool_]:
        """The experts that a choice [c] calls, [e]."""
        used: npt.NDArray[np.bool_] = np.logical_or.reduce(self.members[np.unique(choice)], axis=0)
        return used

    def keeps(self, choice: Ints) -> bool:
        """Whether a choice [c] is within every limit."""
        hosted = self.hosted(choice)
        return all(limit.used(choice, hosted) <= limit.room + limit.fixed for limit in self.limits)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """choice: the column of each category, [c]. proven: false where time ran out before it was known to be the best."""

    choice: Ints
    proven: bool


def solve(problem: Problem, *, time_limit_s: float = 30.0) -> Solution:
    """The best choice within the limits.

    Raises:
        InfeasibleBudget: there is none; says which limit has to be raised, and to what.
        RouterError: time ran out before any was found.
    """
    free = _best(problem)
    if problem.keeps(free):
        return Solution(free, proven=True)
    hosting = np.zeros(problem.members.shape[1])
    found = _minimised(problem, problem.limits, _objective(problem), hosting, time_limit_s)
    if found is None:
        raise _infeasible(problem, time_limit_s)
    return found


def _order(problem: Problem) -> Ints:
    """The place of each column among equals, [c, k]: the cheaper first, then as they stand."""
    cost = np.zeros(problem.value.shape) if problem.cost is None else problem.cost
    return np.argsort(np.argsort(cost, axis=1, kind="stable"), axis=1, kind="stable")


def _best(problem: Problem) -> Ints:
    best = problem.value >= problem.value.max(axis=1, keepdims=True) - SAME
    choice: Ints = np.where(best, _order(problem), problem.value.shape[1]).argmin(axis=1)
    return choice


def _objective(problem: Problem) -> Reals:
    """What is minimised, [c, k]: how far each column is from the best, and a trifle for its place among equals."""
    behind = problem.value.max(axis=1, keepdims=True) - problem.value
    behind[~np.isfinite(behind)] = 0.0
    trifle = SAME * _order(problem) / problem.value.shape[1]
    objective: Reals = problem.shares[:, None] * (behind + trifle) * SCALE
    return objective


def _minimised(
    problem: Problem, limits: Sequence[Limit], of_choice: Reals, of_hosting: Reals, time_limit_s: float
) -> Solution | None:
    """The choice within the limits that has the least sum; None where there is none within them."""
    categories, columns = problem.value.shape
    experts = problem.members.shape[1]
    upper = np.concatenate([np.isfinite(problem.value).ravel(), np.ones(experts)]).astype(np.float64)
    result = milp(
        np.concatenate([of_choice.ravel(), of_hosting]),
        integrality=np.ones(len(upper), dtype=np.int8),
        bounds=Bounds(np.zeros(len(upper)), upper),
        constraints=[_one_each(categories, columns, experts), _hosting(problem), *map(_within, limits)],
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
    )
    if result.status == INFEASIBLE:
        return None
    if result.x is None:
        raise RouterError(f"no mapping was found within {time_limit_s:g} s; allow more time or fewer experts")
    choice: Ints = result.x[: categories * columns].reshape(categories, columns).argmax(axis=1)
    return Solution(choice, proven=result.status == 0)


def _one_each(categories: int, columns: int, experts: int) -> LinearConstraint:
    rows = np.repeat(np.arange(categories), columns)
    matrix = sparse.csr_array(
        (np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(categories, categories * columns + experts)
    )
    return LinearConstraint(matrix, 1.0, 1.0)


def _hosting(problem: Problem) -> LinearConstraint:
    """x[c,k] - y_e <= 0: whom a plan calls is hosted."""
    categories, columns = problem.value.shape
    column, expert = np.nonzero(problem.members)
    chosen = (np.arange(categories)[:, None] * columns + column[None, :]).ravel()
    hosted = categories * columns + np.tile(expert, categories)
    rows = np.arange(len(chosen))
    matrix = sparse.csr_array(
        (
            np.concatenate([np.ones(len(rows)), -np.ones(len(rows))]),
            (np.tile(rows, 2), np.concatenate([chosen, hosted])),
        ),
        shape=(len(rows), categories * columns + problem.members.shape[1]),
    )
    return LinearConstraint(matrix, -np.inf, 0.0)


def _within(limit: Limit) -> LinearConstraint:
    """In units of the limit, so that the solver's tolerances mean the same for dollars and for parameters."""
    unit = limit.at_most if limit.at_most > 0 else 1.0
    row = np.concatenate([limit.of_choice.ravel(), limit.of_hosting]) / unit
    return LinearConstraint(sparse.csr_array(row[None, :]), -np.inf, limit.room / unit)


def _infeasible(problem: Problem, time_limit_s: float) -> InfeasibleBudget:
    """Which limit to raise, and to what: any one that does by itself, else as many as it takes."""
    alone: dict[str, float] = {}
    for limit in problem.limits:
        others = [other for other in problem.limits if other is not limit]
        least = _least(problem, limit, others, time_limit_s)
        if least is not None:
            alone[limit.name] = least
    if alone:
        problems = [_line(limit, alone[limit.name]) for limit in problem.limits if limit.name in alone]
        return InfeasibleBudget(problems, nearest=alone, together=False)
    raised: list[Limit] = []
    for limit in problem.limits:  # the first is kept best; each is raised as little as those before it allow
        least = _least(problem, limit, raised, time_limit_s)
        raised.append(limit if least is None else replace(limit, at_most=max(limit.at_most, least)))
    pairs = [(limit, after.at_most) for limit, after in zip(problem.limits, raised, strict=True)]
    changed = [(limit, least) for limit, least in pairs if least > limit.at_most]
    return InfeasibleBudget(
        [_line(limit, least) for limit, least in changed],
        nearest={limit.name: least for limit, least in changed},
        together=True,
    )


def _least(problem: Problem, limit: Limit, others: Sequence[Limit], time_limit_s: float) -> float | None:
    """The least that any choice within the others uses of a limit; None where no choice is within them."""
    unit = max(float(limit.of_choice.max()), float(limit.of_hosting.max()), np.finfo(np.float64).tiny) / SCALE
    found = _minimised(problem, others, limit.of_choice / unit, limit.of_hosting / unit, time_limit_s)
    return None if found is None else limit.used(found.choice, problem.hosted(found.choice))


def _line(limit: Limit, least: float) -> str:
    return f"{limit.name}: {limit.at_most:g} cannot be met; the least that can is {least:.6g}"
