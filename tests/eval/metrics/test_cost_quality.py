"""What quality costs: against scipy's hull, linear programming, quadrature and the published definitions."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from eval.metrics.cost_quality import (
    Calls,
    arena_score,
    convex_hull,
    frontier,
    gap_closed,
    strong_calls,
    zero_router,
)

grid_points = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 10)), min_size=1, max_size=12)
outcomes = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from([0.1, 0.2, 0.5, 0.8])), min_size=2, max_size=60
)


def arrays(points: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(c) for c, _ in points]), np.array([q / 10 for _, q in points])


def calls_of(rows: list[tuple[bool, bool, float]], *, steps: int | None = 10) -> Calls:
    weak, strong, preference = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return strong_calls(weak=weak, strong=strong, preference=preference, steps=steps)


@given(grid_points)
def test_the_frontier_holds_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    """Compared pair by pair."""
    costs, qualities = arrays(points)

    def beaten(point: tuple[int, int]) -> bool:
        return any(c <= point[0] and q >= point[1] and (c, q) != point for c, q in points)

    assert [points[i] for i in frontier(costs, qualities)] == sorted({p for p in points if not beaten(p)})


@settings(max_examples=60)
@given(grid_points, st.floats(0, 1))
def test_the_hull_is_the_best_mixture(points: list[tuple[int, int]], where: float) -> None:
    """A linear program over the weights of the points, at most so dear on average, finds the same quality."""
    costs, qualities = arrays(points)
    cost = costs.min() + where * (costs.max() - costs.min())
    best = linprog(-qualities, A_ub=[costs], b_ub=[cost + 1e-12], A_eq=[np.ones(len(costs))], b_eq=[1.0])
    assert convex_hull(costs, qualities).quality_at(np.array([cost]))[0] == pytest.approx(-best.fun, abs=1e-9)


@given(st.integers(0, 500))
def test_the_corners_are_scipys(seed: int) -> None:
    """Its upper left part: from the cheapest point to the best one."""
    random = np.random.default_rng(seed)
    points = random.random((15, 2))
    corners = {tuple(points[i]) for i in ConvexHull(points).vertices}
    hull = convex_hull(points[:, 0], points[:, 1])
    ours = list(zip(hull.costs.tolist(), hull.qualities.tolist(), strict=True))
    cheapest, best = points[points[:, 0].argmin()], points[points[:, 1].argmax()]
    first, last = tuple(cheapest), tuple(best)

    def above(point: tuple[float, float]) -> bool:
        run = last[0] - first[0]
        return (
            run > 0
            and first[0] < point[0] < last[0]
            and (point[1] - first[1]) * run > (last[1] - first[1]) * (point[0] - first[0])
        )

    assert ours == sorted({first, last, *(corner for corner in corners if above(corner))})


@given(grid_points)
def test_a_hull_lies_on_or_above_its_points_rises_and_bends_down(points: list[tuple[int, int]]) -> None:
    """And no order of the points, nor one that is beaten, changes it."""
    costs, qualities = arrays(points)
    hull = convex_hull(costs, qualities)
    assert (hull.quality_at(costs) >= qualities - 1e-12).all()
    assert (np.diff(hull.costs) > 0).all()
    assert (np.diff(hull.qualities) > 0).all()
    slopes = np.diff(hull.qualities) / np.diff(hull.costs)
    assert (np.diff(slopes) < 0).all()
    turned = convex_hull(np.append(costs[::-1], costs.max()), np.append(qualities[::-1], qualities.min()))
    assert (turned.costs.tolist(), turned.qualities.tolist()) == (hull.costs.tolist(), hull.qualities.tolist())


def test_aiq_of_a_small_case() -> None:
    """(1, .5), (3, .9), (5, .8): a ramp of mean .7 and a plateau of .9 over the same width."""
    hull = zero_router(np.array([1.0, 3.0, 5.0]), np.array([0.5, 0.9, 0.8]))
    assert hull.cost_range == (1.0, 5.0)
    assert hull.aiq() == pytest.approx(0.8)
    assert hull.aiq((5.0, 9.0)) == pytest.approx(0.9)
    assert hull.aiq((0.0, 1.0)) == pytest.approx(0.25)
    assert hull.aiq((2.0, 2.0)) == pytest.approx(0.7)


def test_one_expert_has_its_quality_as_aiq() -> None:
    """A range without width is no division by 0; an expert that costs nothing has its quality there."""
    assert convex_hull(np.array([2.0]), np.array([0.4])).aiq() == pytest.approx(0.4)
    assert convex_hull(np.array([0.0]), np.array([0.4])).aiq((0.0, 1.0)) == pytest.approx(0.4)


@settings(max_examples=40)
@given(grid_points, st.integers(0, 12), st.integers(1, 8))
def test_aiq_is_the_integral_over_the_range(points: list[tuple[int, int]], low: int, width: int) -> None:
    """By quadrature, also beyond the points' own range."""
    hull = convex_hull(*arrays(points))
    area, _ = quad(
        lambda cost: hull.quality_at(np.array([cost]))[0], low, low + width, points=sorted({*hull.costs}), limit=200
    )
    assert hull.aiq((float(low), float(low + width))) == pytest.approx(area / width, abs=1e-6)


@given(grid_points, st.floats(0.001, 50))
def test_aiq_knows_no_unit_of_cost(points: list[tuple[int, int]], unit: float) -> None:
    """And lies between the worst and the best quality."""
    costs, qualities = arrays(points)
    aiq = convex_hull(costs, qualities).aiq()
    assert convex_hull(costs * unit, qualities).aiq() == pytest.approx(aiq)
    assert qualities.min() - 1e-12 <= aiq <= qualities.max() + 1e-12


@pytest.mark.parametrize(("costs", "qualities"), [([], []), ([-1.0], [0.5]), ([1.0], [math.nan])])
def test_a_hull_of_impossible_points_is_refused(costs: list[float], qualities: list[float]) -> None:
    """As are ranges that run backwards."""
    with pytest.raises(ValueError, match="hull"):
        convex_hull(np.array(costs), np.array(qualities))
    with pytest.raises(ValueError, match="range"):
        convex_hull(np.array([1.0]), np.array([0.5])).aiq((2.0, 1.0))


def test_strong_calls_are_counted_as_routellm_does() -> None:
    """Distinct preferences, ten deciles: at each, the queries above the quantile go to the strong expert."""
    random = np.random.default_rng(5)
    weak, strong = random.random(200) < 0.5, random.random(200) < 0.8
    preference = random.permutation(200) / 200 + 0.3001 * (strong & ~weak)
    calls = strong_calls(weak=weak.astype(float), strong=strong.astype(float), preference=preference)
    shares, qualities = [], []
    for quantile in np.linspace(1, 0, 11):
        chosen = preference > np.quantile(preference, quantile) if quantile else np.ones(200, dtype=bool)
        shares.append(chosen.mean())
        qualities.append(np.where(chosen, strong, weak).mean())
    assert calls.shares == pytest.approx(shares)
    assert calls.qualities == pytest.approx(qualities)
    floor, gap = weak.mean(), strong.mean() - weak.mean()
    assert calls.apgr == pytest.approx((np.trapezoid(qualities, shares) - floor) / gap)
    scanned = np.linspace(0, 1, 100_001)
    reached = np.interp(scanned, shares, qualities) >= floor + 0.5 * gap
    assert calls.cpt(0.5) == pytest.approx(scanned[reached.argmax()], abs=2e-5)


def test_a_router_that_cannot_tell_gets_the_coins_line() -> None:
    """APGR .5, CPT50 .5, CPT80 .8, whatever the order of the queries."""
    rows = [(True, True, 0.5), (False, True, 0.5), (True, False, 0.5), (False, True, 0.5)]
    calls = calls_of(rows)
    assert (calls.apgr, calls.cpt(0.5), calls.cpt(0.8)) == pytest.approx((0.5, 0.5, 0.8))


def test_a_router_that_knows_calls_the_strong_one_where_it_helps() -> None:
    """Two of ten queries need it: half the gap costs a tenth of the calls, all of it a fifth."""
    rows = [(False, True, 1.0)] * 2 + [(True, True, 0.0)] * 8
    calls = calls_of(rows)
    assert (calls.cpt(0.5), calls.cpt(1.0), calls.apgr) == pytest.approx((0.1, 0.2, 0.9))
    assert calls.cpt(0.0) == 0.0


def test_a_gap_that_is_not_there_cannot_be_recovered() -> None:
    """Undefined, not 0 and no division by 0."""
    calls = calls_of([(True, True, 0.1), (True, False, 0.2)])
    assert math.isnan(calls.apgr)
    assert math.isnan(calls.cpt(0.5))
    assert math.isnan(gap_closed(0.5, 0.6, 0.6))


@given(outcomes, st.randoms(use_true_random=False))
def test_calls_begin_weak_end_strong_and_ignore_the_order_of_queries(
    rows: list[tuple[bool, bool, float]],
    random,  # noqa: ANN001
) -> None:
    """No threshold lifts a curve above the oracle's; more recovered takes more calls."""
    calls = calls_of(rows, steps=None)
    again = calls_of(random.sample(rows, len(rows)), steps=None)
    assert calls.qualities[0] == pytest.approx(np.mean([w for w, _, _ in rows]))
    assert calls.qualities[-1] == pytest.approx(np.mean([s for _, s, _ in rows]))
    assert (calls.qualities <= np.mean([w or s for w, s, _ in rows]) + 1e-12).all()
    assert again.qualities == pytest.approx(calls.qualities)
    assume(calls.qualities[-1] > calls.qualities[0])
    assert 0 <= calls.cpt(0.2) <= calls.cpt(0.5) <= calls.cpt(0.8) <= 1


def test_shares_that_are_none_and_curves_of_nothing_are_refused() -> None:
    """A target beyond the gap has no answer."""
    with pytest.raises(ValueError, match="gap"):
        calls_of([(False, True, 0.1), (True, True, 0.2)]).cpt(1.2)
    with pytest.raises(ValueError, match="curve"):
        strong_calls(weak=np.array([]), strong=np.array([]), preference=np.array([]))


@pytest.mark.parametrize(("accuracy", "score"), [(0.7123, 0.7160), (0.6653, 0.6723)])
def test_published_arena_scores_come_out(accuracy: float, score: float) -> None:
    """Two rows of RouterArena's leaderboard (R2-Router, vLLM-SR), both at $0.06 a 1,000 queries, as rounded there."""
    dear, cheap = (arena_score(accuracy, usd_per_query=usd / 1000) for usd in (0.065, 0.055))
    assert dear - 0.0001 <= score <= cheap + 0.0001


@given(st.floats(0.01, 1), st.floats(1e-6, 0.19))
def test_the_arena_score_is_a_weighed_harmonic_mean(quality: float, usd: float) -> None:
    """Of quality (weight 1) and cheapness on the log scale (weight 0.1), so between the two."""
    cheapness = math.log(200 / max(usd * 1000, 0.0044)) / math.log(200 / 0.0044)
    score = arena_score(quality, usd_per_query=usd)
    assert score == pytest.approx(1.1 / (1 / quality + 0.1 / cheapness))
    assert min(quality, cheapness) - 1e-9 <= score <= max(quality, cheapness) + 1e-9


def test_the_arena_score_at_its_ends() -> None:
    """Free counts as the cheapest; the dearest and the worst get nothing."""
    assert arena_score(1.0, usd_per_query=0.0) == 1.0
    assert arena_score(0.9, usd_per_query=5.0) == 0.0
    assert arena_score(0.0, usd_per_query=5.0) == 0.0
    with pytest.raises(ValueError, match="arena"):
        arena_score(1.2, usd_per_query=0.1)
    with pytest.raises(ValueError, match="arena"):
        arena_score(0.5, usd_per_query=math.nan)


def test_gap_closed_of_the_routerretriever_paper() -> None:
    """Table 1 as quoted in PAPERS.md: 47.5 best single, 49.6 routed; oracles 57.6 and 50.9."""
    assert gap_closed(49.6, 47.5, 57.6) == pytest.approx(0.208, abs=0.001)
    assert gap_closed(49.6, 47.5, 50.9) == pytest.approx(0.618, abs=0.012)
