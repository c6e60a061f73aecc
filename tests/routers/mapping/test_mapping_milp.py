"""The programme against brute force; what is said where nothing is feasible."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from routers.errors import InfeasibleBudget
from routers.mapping.milp import Limit, Problem, solve
from routers.mapping.shrinkage import Ints, Reals

SIZES = st.integers(1, 20).map(float)


def problem(
    value: Reals,
    *,
    members: list[list[int]] | None = None,
    cost: Reals | None = None,
    hosted: tuple[float, list[float]] | None = None,
    active: tuple[float, list[float]] | None = None,
    cost_limit: float | None = None,
) -> Problem:
    """Equal shares; limits as (at most, of each expert)."""
    categories, columns = value.shape
    called = members or [[column] for column in range(columns)]
    experts = 1 + max(chain.from_iterable(called))
    matrix = np.zeros((columns, experts), dtype=np.bool_)
    for column, those in enumerate(called):
        matrix[column, those] = True
    shares = np.full(categories, 1 / categories)
    nowhere, nothing = np.zeros(value.shape), np.zeros(experts)
    limits = []
    if hosted is not None:
        limits.append(Limit("hosted_params_b", hosted[0], of_choice=nowhere, of_hosting=np.array(hosted[1])))
    if active is not None:
        each = shares[:, None] * (matrix @ np.array(active[1]))
        limits.append(Limit("active_params_b", active[0], of_choice=each, of_hosting=nothing))
    if cost_limit is not None and cost is not None:
        each = shares[:, None] * cost
        limits.append(Limit("cost_per_query_usd", cost_limit, of_choice=each, of_hosting=nothing))
    return Problem(shares=shares, value=value, members=matrix, cost=cost, limits=limits)


def every(problem: Problem) -> Iterator[Ints]:
    """All choices that keep the limits."""
    categories, columns = problem.value.shape
    choices = (np.array(choice) for choice in product(range(columns), repeat=categories))
    return (choice for choice in choices if problem.keeps(choice))


def worth(problem: Problem, choice: Ints) -> float:
    return float(problem.shares @ problem.value[np.arange(len(choice)), choice])


@st.composite
def problems(draw: st.DrawFn, *, tight: bool = False) -> Problem:
    """Up to four categories, four experts and two fuse plans, with any of the limits; tight ones are often too low."""
    categories, experts = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(experts), 2))), max_size=2, unique=True))
    members = [[expert] for expert in range(experts)] + [list(pair) for pair in pairs]
    cells = categories * len(members)
    value = np.array(draw(st.lists(st.integers(0, 50), min_size=cells, max_size=cells)), dtype=np.float64) / 50
    cost = np.array(draw(st.lists(st.integers(0, 9), min_size=cells, max_size=cells)), dtype=np.float64) / 1000
    sizes = [draw(st.lists(SIZES, min_size=experts, max_size=experts)) for _ in range(2)]
    return problem(
        value.reshape(categories, -1),
        members=members,
        cost=cost.reshape(categories, -1),
        hosted=draw(st.none() | st.tuples(st.integers(1, 6 if tight else 60).map(float), st.just(sizes[0]))),
        active=draw(st.none() | st.tuples(st.integers(1, 5 if tight else 30).map(float), st.just(sizes[1]))),
        cost_limit=draw(st.none() | st.integers(0, 1 if tight else 9).map(lambda limit: limit / 1000)),
    )


@settings(max_examples=60, deadline=None)
@given(problems())
def test_no_choice_within_the_limits_is_worth_more(given_problem: Problem) -> None:
    """Specified (PAPERS.md 1.1): equal to brute force over x, with hosting, active parameters and cost."""
    best = max((worth(given_problem, choice) for choice in every(given_problem)), default=None)
    assume(best is not None)
    solution = solve(given_problem)
    assert solution.proven
    assert given_problem.keeps(solution.choice)
    assert worth(given_problem, solution.choice) == pytest.approx(best, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_hosting_alone_is_the_best_subset(data: st.DataObject) -> None:
    """Specified: without average limits each category takes its best hosted expert, so subsets can be enumerated."""
    experts = data.draw(st.integers(2, 6))
    value = np.array(data.draw(st.lists(st.floats(0, 1), min_size=3 * experts, max_size=3 * experts))).reshape(3, -1)
    sizes = data.draw(st.lists(SIZES, min_size=experts, max_size=experts))
    limit = data.draw(st.floats(min(sizes), 60))
    subsets = chain.from_iterable(combinations(range(experts), size) for size in range(1, experts + 1))
    best = max(
        value[:, those].max(axis=1).mean() for those in map(list, subsets) if sum(sizes[e] for e in those) <= limit
    )
    solution = solve(problem(value, hosted=(limit, sizes)))
    assert value[np.arange(3), solution.choice].mean() == pytest.approx(best, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(problems(tight=True))
def test_what_is_said_to_be_feasible_is(given_problem: Problem) -> None:
    """Specified: the error names limits and the least values that can be met; raised to them there is a mapping."""
    assume(next(every(given_problem), None) is None)
    with pytest.raises(InfeasibleBudget) as raised:
        solve(given_problem)
    error = raised.value
    assert error.nearest
    assert all(name in line for name, line in zip(error.nearest, error.problems, strict=True))
    together = [error.nearest] if error.together else [{name: least} for name, least in error.nearest.items()]
    for nearest in together:
        assert next(every(_raised(given_problem, nearest)), None) is not None
        slightly_less = {name: least - 1e-4 for name, least in nearest.items()}
        assert next(every(_raised(given_problem, slightly_less)), None) is None


def _raised(given_problem: Problem, nearest: dict[str, float]) -> Problem:
    limits = [
        Limit(
            limit.name,
            nearest.get(limit.name, limit.at_most),
            of_choice=limit.of_choice,
            of_hosting=limit.of_hosting,
        )
        for limit in given_problem.limits
    ]
    return Problem(
        shares=given_problem.shares,
        value=given_problem.value,
        members=given_problem.members,
        cost=given_problem.cost,
        limits=limits,
    )


def test_one_limit_too_low_is_named_with_what_it_takes() -> None:
    """Specified: hosting 3 where the smallest expert has 7."""
    with pytest.raises(InfeasibleBudget) as raised:
        solve(problem(np.array([[0.5, 0.9]]), hosted=(3, [7, 8]), active=(10, [7, 8])))
    assert raised.value.nearest == {"hosted_params_b": 7}
    assert str(raised.value) == "hosted_params_b: 3 cannot be met; the least that can is 7"


def test_limits_that_exclude_each_other_are_both_named() -> None:
    """Specified: the small expert is dear and the cheap one is big; either limit can give way."""
    value, cost = np.array([[0.5, 0.9]]), np.array([[0.02, 0.001]])
    with pytest.raises(InfeasibleBudget) as raised:
        solve(problem(value, cost=cost, hosted=(8, [7, 70]), cost_limit=0.01))
    assert raised.value.nearest == pytest.approx({"hosted_params_b": 70, "cost_per_query_usd": 0.02})
    assert not raised.value.together


def test_several_limits_that_have_to_give_way_do_so_at_once() -> None:
    """Ours: where raising one is not enough, the values named work together."""
    with pytest.raises(InfeasibleBudget) as raised:
        solve(problem(np.array([[0.5, 0.9]]), hosted=(1, [7, 70]), active=(1, [6, 60])))
    assert raised.value.together
    assert raised.value.nearest == {"hosted_params_b": 7, "active_params_b": 6}


def test_equal_columns_go_to_the_cheaper_and_then_to_the_first() -> None:
    """Specified: ties are deterministic, with a solver and without."""
    value, cost = np.full((2, 3), 0.5), np.array([[0.3, 0.1, 0.1], [0.2, 0.2, 0.2]])
    assert solve(problem(value, cost=cost)).choice.tolist() == [1, 0]
    dear_first = np.column_stack([[0.9, 0.9], value[:, 1:]])
    limited = problem(dear_first, cost=cost, hosted=(2, [3, 1, 1]))
    assert solve(limited).choice.tolist() == [1, 1]


def test_a_limit_that_is_just_met_is_met() -> None:
    """Ours: three times a tenth of a dollar is no more than 0.3 - 5e-17."""
    value, cost = np.array([[0.1, 0.9]] * 3), np.array([[0.0, 0.1]] * 3)
    assert solve(problem(value, cost=cost, cost_limit=0.1)).choice.tolist() == [1, 1, 1]


def test_a_zero_limit_takes_what_costs_nothing() -> None:
    """Ours: local experts are free."""
    value, cost = np.array([[0.1, 0.9]] * 2), np.array([[0.0, 0.1]] * 2)
    assert solve(problem(value, cost=cost, cost_limit=0.0)).choice.tolist() == [0, 0]
