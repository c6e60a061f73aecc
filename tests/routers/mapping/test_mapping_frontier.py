"""The frontier against all mappings."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.mapping.frontier import Point, frontier
from routers.mapping.shrinkage import Ints, Reals


def always(_: Ints) -> bool:
    return True


def states(points: tuple[Point, ...], categories: int) -> list[Ints]:
    """The mapping at every point."""
    state, found = np.full(categories, -1), []
    for point in points:
        for category, column in point.changes:
            state[category] = column
        found.append(state.copy())
    return found


def corners(costs: Reals, credit_sums: Reals) -> set[tuple[float, float]]:
    """Points that are best for some price of cost, by trying every pair of points as the neighbours."""
    all_points = sorted(set(zip(np.round(costs, 9).tolist(), np.round(credit_sums, 9).tolist(), strict=True)))
    hull: list[tuple[float, float]] = []
    for cost, credit in all_points:
        if hull and credit <= max(other for _, other in hull):
            continue
        while hull and hull[-1][0] == cost:
            hull.pop()
        while len(hull) > 1 and (hull[-1][1] - hull[-2][1]) * (cost - hull[-1][0]) <= (credit - hull[-1][1]) * (
            hull[-1][0] - hull[-2][0]
        ):
            hull.pop()
        hull.append((cost, credit))
    return set(hull)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_every_corner_of_the_hull_of_all_mappings_is_on_the_frontier(
    categories: int, columns: int, data: st.DataObject
) -> None:
    """Specified: the sequence of efficient mappings, by rising cost and credit, up to the best."""
    cells = categories * columns
    numbers = st.lists(st.integers(0, 20), min_size=cells, max_size=cells)
    credit = np.array(data.draw(numbers), dtype=np.float64).reshape(categories, columns)
    cost = np.array(data.draw(numbers), dtype=np.float64).reshape(categories, columns)
    shares = np.ones(categories)  # whole numbers stay whole
    every = np.array(list(product(range(columns), repeat=categories)))
    rows = np.arange(categories)
    credit_sums, costs = credit[rows, every] @ shares, cost[rows, every] @ shares
    best = every[np.lexsort((costs, -credit_sums))[0]]
    points = frontier(credit, cost, shares=shares, best=best, keeps=always)
    found = {(round(point.cost, 9), round(point.credit, 9)) for point in points}
    assert corners(costs, credit_sums) <= found
    for point, state in zip(points, states(points, categories), strict=True):
        assert np.isclose(cost[rows, state] @ shares, point.cost)
        assert np.isclose(credit[rows, state] @ shares, point.credit)
    assert [point.cost for point in points] == sorted({point.cost for point in points})
    assert (states(points, categories)[-1] == best).all()


def test_without_costs_there_is_the_best_alone() -> None:
    """Ours."""
    best = np.array([1, 0])
    (point,) = frontier(np.eye(2), None, shares=np.array([0.5, 0.5]), best=best, keeps=always)
    assert point.changes == ((0, 1), (1, 0))


def test_columns_that_may_not_be_chosen_and_mappings_over_a_limit_are_left_out() -> None:
    """Ours: a cheap mapping may break another limit."""
    credit, cost = np.array([[0.1, 0.5, -np.inf]]), np.array([[1.0, 2.0, 0.0]])
    points = frontier(credit, cost, shares=np.ones(1), best=np.array([1]), keeps=lambda choice: choice[0] != 0)
    assert [point.changes for point in points] == [((0, 1),)]
