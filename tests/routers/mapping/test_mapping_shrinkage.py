"""What a few queries say, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.mapping.shrinkage import UNSEEN, Reals, _posterior, believed, observe


def test_observed_means_and_their_covariance() -> None:
    """A worked example: the variance of a mean is that of the queries over their number, a trifle drawn to coins."""
    rng = np.random.default_rng(0)
    values = (rng.random((4000, 2)) < 0.3).astype(np.float64)
    values[:, 1] = np.where(rng.random(4000) < 0.5, values[:, 0], values[:, 1])
    observed = observe(values, np.zeros(4000, dtype=np.intp), count=1)
    assert observed.mean[0] == pytest.approx(values.mean(axis=0))
    assert observed.covariance[0] == pytest.approx(np.cov(values.T) / 4000, rel=1e-3)


def test_pairs_share_as_much_as_they_have_in_common() -> None:
    """Specified: cov(mean a, mean b) = s_ab n_ab / (n_a n_b); without a common query they share nothing."""
    rng = np.random.default_rng(1)
    luck = rng.random(3000)
    values = np.column_stack([luck < 0.5, luck < 0.6]).astype(np.float64)
    values[:2000, 1] = np.nan
    half = observe(values, np.zeros(3000, dtype=np.intp), count=1).covariance[0]
    assert half[0, 1] == pytest.approx(np.cov(values[2000:].T)[0, 1] / 3000, rel=0.05)
    values[2000:, 0] = np.nan
    assert observe(values, np.zeros(3000, dtype=np.intp), count=1).covariance[0, 0, 1] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1000))
def test_posterior_is_that_of_the_normal_model(groups: int, columns: int, seed: int) -> None:
    """Specified: equal to conditioning the joint normal of all means on what was observed, mu being anything."""
    rng = np.random.default_rng(seed)

    def covariance() -> Reals:
        root = rng.normal(size=(columns, columns + 1))
        return root @ root.T

    y, spread, noise = rng.normal(size=(groups, columns)), covariance(), np.array([covariance() for _ in range(groups)])
    mean, within, centre = _posterior(y, noise, spread)
    left = np.eye(columns) - centre.gain
    found = within + left @ centre.of_mu @ np.swapaxes(left, 1, 2)
    anything = 1e6
    prior = np.kron(np.eye(groups), spread) + np.kron(np.ones((groups, groups)), anything * np.eye(columns))
    total = prior.copy()
    for group in range(groups):
        place = slice(group * columns, (group + 1) * columns)
        total[place, place] += noise[group]
    weights = np.linalg.solve(total, prior).T
    assert mean.ravel() == pytest.approx(weights @ y.ravel(), abs=1e-3)
    joint = prior - weights @ prior
    for group in range(groups):
        place = slice(group * columns, (group + 1) * columns)
        assert found[group] == pytest.approx(joint[place, place], abs=1e-3)


def test_one_group_is_believed_as_observed() -> None:
    """Ours: with nothing to lean on there is nothing to be drawn to."""
    values = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    observed = observe(values, np.zeros(4, dtype=np.intp), count=1)
    beliefs = believed(observed)
    assert beliefs.mean[0] == pytest.approx([0.5, 0.75])
    assert beliefs.covariance[0] == pytest.approx(observed.covariance[0])


def test_a_small_group_is_drawn_to_the_others_and_a_large_one_is_not() -> None:
    """Specified: three lucky queries move little."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(4), [2000, 2000, 2000, 3])
    values = np.column_stack([rng.random(6003) < 0.7, rng.random(6003) < 0.4]).astype(np.float64)
    values[6000:] = [0.0, 1.0]
    beliefs = believed(observe(values, groups, count=4))
    gain, sd = beliefs.gain(0)
    assert gain[3, 1] < -0.2
    assert gain[0, 1] == pytest.approx(values[:2000, 1].mean() - values[:2000, 0].mean(), abs=0.02)
    assert sd[3, 1] > 0
    assert sd[0, 0] == 0


def test_a_group_without_queries_is_expected_to_be_like_the_others() -> None:
    """Ours: and with more doubt."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(6), 500)
    values = (rng.random((3000, 2)) < np.array([[0.3, 0.6]]) + 0.3 * (groups % 2)[:, None]).astype(np.float64)
    beliefs = believed(observe(values, groups, count=7))
    assert beliefs.mean[6] == pytest.approx(values.mean(axis=0), abs=0.05)
    assert (beliefs.sd[6] > 3 * beliefs.sd[0]).all()
    assert (beliefs.sd < np.sqrt(UNSEEN) / 100).all()


def test_an_expert_graded_on_easy_queries_alone_is_not_taken_to_be_good_at_hard_ones() -> None:
    """Ours: where it was not graded, the others' scores say how hard it is."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(8), 400)
    ease = np.linspace(0.1, 0.9, 8)[groups]
    values = (rng.random((3200, 3)) < ease[:, None]).astype(np.float64)
    values[groups == 0, 2] = np.nan
    beliefs = believed(observe(values, groups, count=8))
    assert beliefs.mean[0, 2] == pytest.approx(0.1, abs=0.08)
    assert values[groups != 0, 2].mean() > 0.5
