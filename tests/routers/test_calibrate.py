"""Probabilities that mean what they say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from routers.calibrate import (
    Probabilities,
    conformal_quantile,
    conformal_sets,
    expected_calibration_error,
    fit_temperature,
    softmax,
)

logits = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(2, 6)),
    elements=st.floats(-50, 50, width=32),
)
temperatures = st.floats(0.01, 100)
seeds = st.integers(0, 2**32 - 1)


def drawn(rng: np.random.Generator, n: int, k: int, *, sharpness: float = 2.0) -> tuple[Probabilities, Any]:
    """Logits, and labels drawn from their own softmax: probabilities that are calibrated by construction."""
    z = rng.normal(scale=sharpness, size=(n, k))
    cumulative = softmax(z).cumsum(axis=1)
    return z, (rng.random((n, 1)) > cumulative[:, :-1]).sum(axis=1)


@given(logits, temperatures)
def test_softmax_rows_sum_to_one(z: Any, temperature: float) -> None:
    """A posterior is a distribution at every temperature."""
    posterior = softmax(z, temperature)
    assert np.all(posterior >= 0)
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-9)


@given(logits, temperatures)
def test_temperature_does_not_change_the_likeliest_category(z: Any, temperature: float) -> None:
    """Calibration changes how sure the router is, never what it says."""
    rows = np.arange(len(z))
    posterior = softmax(z, temperature)
    assert np.all(posterior[rows, z.argmax(axis=1)] == posterior.max(axis=1))


def test_softmax_of_known_logits() -> None:
    """Worked by hand: ln 1, ln 2, ln 5 at temperature 1."""
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_temperature_undoes_an_exaggeration(factor: float) -> None:
    """Calibrated logits times a factor want that factor as their temperature."""
    z, labels = drawn(np.random.default_rng(7), 20_000, 4)
    assert fit_temperature(z * factor, labels) == pytest.approx(factor, rel=0.05)


def test_few_queries_all_right_do_not_make_the_router_certain() -> None:
    """Ours: plain likelihood would take the temperature to its bound and every confidence to 1."""
    z = np.eye(3)[np.arange(12) % 3] * 2.0
    confidence = softmax(z, fit_temperature(z, np.arange(12) % 3)).max()
    assert confidence == pytest.approx(1 - 1 / 14, abs=1e-3)


def test_calibration_error_of_known_bins() -> None:
    """Two bins: confidence .9 and right half the time, confidence .6 and always right."""
    posterior = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    found = expected_calibration_error(posterior, np.array([0, 1, 0, 0]), bins=10)
    assert found == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_calibration_error_falls_with_the_right_temperature() -> None:
    """Over-confident logits are worse before scaling than after."""
    z, labels = drawn(np.random.default_rng(3), 5_000, 5)
    before = expected_calibration_error(softmax(z * 3), labels)
    after = expected_calibration_error(softmax(z * 3, fit_temperature(z * 3, labels)), labels)
    assert before > 0.1
    assert after < 0.03


def test_conformal_quantile_is_the_rank_of_the_formula() -> None:
    """Of n = 9 scores at alpha = .2: rank ceil(10 x .8) = 8 of .1 to .9."""
    true = np.arange(0.9, 0.05, -0.1)
    posterior = np.stack([true, 1 - true], axis=1)
    assert conformal_quantile(posterior, np.zeros(9, dtype=int), alpha=0.2) == pytest.approx(0.8)


def test_too_few_scores_admit_every_category() -> None:
    """With n = 5 no finite quantile can promise 90 %, so the set is everything."""
    posterior = np.full((5, 3), 1 / 3)
    quantile = conformal_quantile(posterior, np.zeros(5, dtype=int), alpha=0.1)
    assert quantile == 1.0
    assert conformal_sets(posterior, quantile).all()


@given(seeds, st.sampled_from([0.05, 0.1, 0.2, 0.4]), st.integers(2, 6))
def test_sets_hold_the_true_category_as_often_as_promised(seed: int, alpha: float, k: int) -> None:
    """Exchangeable queries: coverage is at least 1 - alpha, within five standard deviations of both samples."""
    rng = np.random.default_rng(seed)
    n = 1_500
    z, labels = drawn(rng, 2 * n, k)
    posterior = softmax(z, rng.uniform(0.5, 2))
    quantile = conformal_quantile(posterior[:n], labels[:n], alpha=alpha)
    covered = conformal_sets(posterior[n:], quantile)[np.arange(n), labels[n:]].mean()
    assert covered >= 1 - alpha - 5 * np.sqrt(2 * alpha * (1 - alpha) / n)


@given(seeds, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_smaller_alpha_gives_a_larger_set(seed: int, one: float, other: float) -> None:
    """Sets are nested in alpha, and none is empty."""
    z, labels = drawn(np.random.default_rng(seed), 40, 4)
    posterior = softmax(z)
    large, small = (
        conformal_sets(posterior, conformal_quantile(posterior, labels, alpha=alpha)) for alpha in sorted((one, other))
    )
    assert np.all(large | ~small)
    assert small.any(axis=1).all()
