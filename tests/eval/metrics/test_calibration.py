"""Do probabilities mean what they say: against scikit-learn, scipy and counting by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from eval.metrics.calibration import (
    brier_terms,
    covered,
    expected_calibration_error,
    reliability,
    risk_coverage,
    set_sizes,
)

confident = st.lists(
    st.tuples(st.floats(0, 1) | st.sampled_from([0.2, 0.4, 0.6, 1.0]), st.booleans()), min_size=1, max_size=40
)


def drawn(seed: int, *, rows: int = 60, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(labels), size=rows), random.integers(labels, size=rows)


@given(st.integers(0, 1000))
def test_the_brier_score_is_scikit_learns(seed: int) -> None:
    """Over more than two categories, not halved."""
    posterior, labels = drawn(seed)
    theirs = brier_score_loss(labels, posterior, labels=np.arange(4), scale_by_half=False)
    assert brier_terms(posterior, labels).mean() == pytest.approx(theirs)


def test_brier_terms_run_from_sure_and_right_to_sure_and_wrong() -> None:
    """0 to 2; indifference among two is a half."""
    posterior = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert brier_terms(posterior, np.array([0, 0, 0])).tolist() == [0.0, 2.0, 0.5]


@given(confident)
def test_bins_hold_every_query_once_with_its_confidence_and_outcome(pairs: list[tuple[float, bool]]) -> None:
    """Counted by hand: low < confidence <= high, 0 in the first; eighths, as their edges are exact."""
    confidence, right = np.array([c for c, _ in pairs]), np.array([r for _, r in pairs])
    bins = reliability(confidence, right, bins=8)
    assert sum(b.accuracy.n for b in bins) == len(pairs)
    for b in bins:
        inside = [(c, r) for c, r in pairs if b.low < c <= b.high or (b.low == 0 and c == 0)]
        assert b.accuracy.n == len(inside)
        assert b.confidence == pytest.approx(math.fsum(c for c, _ in inside) / len(inside))
        assert b.accuracy.value == pytest.approx(sum(r for _, r in inside) / len(inside))
        assert b.as_dict()["accuracy"]["n"] == len(inside)


@given(st.integers(0, 1000))
def test_bins_are_scikit_learns_and_make_up_the_calibration_error(seed: int) -> None:
    """The reliability diagram shows what the one number sums up."""
    posterior, labels = drawn(seed)
    confidence, right = posterior.max(axis=1), posterior.argmax(axis=1) == labels
    bins = reliability(confidence, right, bins=15)
    shares, means = calibration_curve(right, confidence, n_bins=15)
    assert [b.accuracy.value for b in bins] == pytest.approx(shares)
    assert [b.confidence for b in bins] == pytest.approx(means)
    gaps = [b.accuracy.n / len(labels) * abs(b.accuracy.value - b.confidence) for b in bins]
    assert expected_calibration_error(posterior, labels) == pytest.approx(math.fsum(gaps))


def test_risk_and_coverage_of_a_small_case() -> None:
    """By hand: risks 0, 0, 1/3, 1/4 at coverages 1/4 to 1; the area is their mean."""
    curve = risk_coverage(np.array([0.9, 0.8, 0.6, 0.7]), np.array([True, True, True, False]))
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert curve.area == pytest.approx((1 / 3 + 1 / 4) / 4)
    assert set(curve.as_dict()) == {"threshold", "coverage", "risk", "area"}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from([0.3, 0.6, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_equal_confidences_count_in_every_order(pairs: list[tuple[float, bool]]) -> None:
    """The area is the mean over all orders that rank by confidence, found by trying them all."""
    areas = []
    for order in itertools.permutations(pairs):
        if all(a[0] >= b[0] for a, b in itertools.pairwise(order)):
            wrong = np.cumsum([not right for _, right in order])
            areas.append(float(np.mean(wrong / np.arange(1, len(pairs) + 1))))
    curve = risk_coverage(np.array([c for c, _ in pairs]), np.array([r for _, r in pairs]))
    assert curve.area == pytest.approx(np.mean(areas))


@given(confident, st.randoms(use_true_random=False))
def test_the_curve_is_bounded_ends_at_the_error_and_ignores_order(pairs: list[tuple[float, bool]], random) -> None:  # noqa: ANN001
    """Coverage rises to 1, where the risk is that of answering everything."""
    curve = risk_coverage(np.array([c for c, _ in pairs]), np.array([r for _, r in pairs]))
    mixed = random.sample(pairs, len(pairs))
    again = risk_coverage(np.array([c for c, _ in mixed]), np.array([r for _, r in mixed]))
    assert (np.diff(curve.coverage) > 0).all()
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(1 - sum(r for _, r in pairs) / len(pairs))
    assert 0 <= curve.risk.min() <= curve.area + 1e-12
    assert curve.area <= curve.risk.max() + 1e-12
    assert (again.coverage.tolist(), again.risk.tolist()) == (curve.coverage.tolist(), curve.risk.tolist())
    assert again.area == pytest.approx(curve.area)


def test_no_queries_have_no_curve() -> None:
    """Rather than an area of 0, which would be perfect."""
    with pytest.raises(ValueError, match="no queries"):
        risk_coverage(np.array([]), np.array([], dtype=bool))


def test_sets_cover_what_they_hold() -> None:
    """Counted by hand."""
    sets = np.array([[True, False, True], [False, True, False], [True, True, True]])
    assert covered(sets, np.array([1, 1, 0])).tolist() == [False, True, True]
    assert set_sizes(sets).tolist() == [2, 1, 3]
