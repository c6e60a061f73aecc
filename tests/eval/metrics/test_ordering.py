"""Agreement in order, against vectors worked out by hand and against scipy."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from eval.metrics.ordering import spearman, tau_b

FEW = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=8)


def test_golden_vectors() -> None:
    """Of 1 2 3 4 against 1 3 2 4 five of six pairs stand right: tau 2/3; squared rank differences 2: rho .8."""
    one, other = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert math.isclose(tau_b(one, other), 2 / 3)
    assert math.isclose(spearman(one, other), 0.8)


def test_ties_are_allowed_for() -> None:
    """Of 1 1 2 against 1 2 3 two pairs agree, one is tied on one side: 2 / sqrt(2 * 3)."""
    assert math.isclose(tau_b(np.array([1.0, 1, 2]), np.array([1.0, 2, 3])), 2 / math.sqrt(6))


def test_a_constant_has_no_order() -> None:
    """Undefined, and no warning."""
    constant, rising = np.ones(3), np.arange(3.0)
    assert math.isnan(tau_b(constant, rising))
    assert math.isnan(spearman(rising, constant))
    assert math.isnan(spearman(np.ones(1), np.ones(1)))


@given(FEW)
def test_tau_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    """For whatever ties; undefined where one side is constant."""
    one, other = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        assert math.isnan(tau_b(one, other))
    else:
        assert math.isclose(tau_b(one, other), float(kendalltau(one, other).statistic), abs_tol=1e-12)
