"""Accuracy under disagreement: the golden vector, and exact probabilities of the Dirichlet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from eval.metrics.classification import in_top_k, top_k_sets
from eval.metrics.uncertain import (
    certainties,
    plausibilities,
    sample_plausibilities,
    sample_top,
    uncertain_accuracy,
)

GOLDEN = [[[0], [1, 2]], [[1], [0]], [[0]]]


def test_golden_plausibilities() -> None:
    """PAPERS.md section 2."""
    assert plausibilities(GOLDEN, labels=4) == pytest.approx([0.5556, 0.3333, 0.1111, 0], abs=5e-5)


@pytest.mark.parametrize(("trust", "accuracy"), [(1, 0.569), (5, 0.690), (20, 0.856), (50, 0.954)])
def test_golden_uncertainty_adjusted_accuracy(trust: float, accuracy: float) -> None:
    """PAPERS.md section 2: predicting class 0, 20,000 draws, + 0.01."""
    irn = plausibilities(GOLDEN, labels=4)[None]
    top = sample_top(irn, trust=trust, draws=20_000, seed=42)
    predicted = top_k_sets(np.array([[0.9, 0.1, 0.0, 0.0]]), 1)
    assert uncertain_accuracy(predicted, top).value == pytest.approx(accuracy, abs=0.01)


@pytest.mark.parametrize("trust", [1, 5, 20])
def test_certainty_between_two_labels_is_the_beta_distributions(trust: float) -> None:
    """With two labels the Dirichlet is a Beta: the first is on top with the probability of exceeding a half."""
    irn = np.array([[0.7, 0.3], [0.5, 0.5]])
    shares = certainties(sample_top(irn, trust=trust, draws=20_000, seed=1), labels=2)
    exact = [beta.sf(0.5, trust * p + 0.01, trust * (1 - p) + 0.01) for p in irn[:, 0]]
    assert shares[:, 0] == pytest.approx(exact, abs=0.012)


@pytest.mark.parametrize(("trust", "least"), [(1, 0.97), (5, 0.99)])
def test_unanimous_annotators_leave_plain_accuracy(trust: float, least: float) -> None:
    """PAPERS.md 3.1: four classes, one named: .98 at T = 1 and over .99 at T = 5."""
    truth = np.arange(200) % 4
    irn = np.stack([plausibilities([[[int(label)]]] * 3, labels=4) for label in truth])
    posterior = np.random.default_rng(0).dirichlet(np.ones(4), size=200)
    top = sample_top(irn, trust=trust, draws=2000)
    assert certainties(top, labels=4).max(axis=1).mean() >= least
    plain = in_top_k(posterior, truth, 1).mean()
    assert uncertain_accuracy(top_k_sets(posterior, 1), top).value == pytest.approx(plain, abs=1.5 * (1 - least))


def test_the_spread_is_that_of_the_accuracy_over_sampled_truths() -> None:
    """By looping over the samples; it falls with more queries as annotators' doubts average out."""
    irn = np.tile([0.6, 0.4], (40, 1))
    top = sample_top(irn, trust=3, draws=500, seed=3)
    predicted = np.tile([True, False], (40, 1))
    accuracies = [sum(top[query, draw] == 0 for query in range(40)) / 40 for draw in range(500)]
    ours = uncertain_accuracy(predicted, top)
    assert ours.value == pytest.approx(np.mean(accuracies))
    assert ours.spread == pytest.approx(np.std(accuracies))
    assert ours.spread < uncertain_accuracy(predicted[:5], top[:5]).spread


def test_samples_are_distributions_around_the_annotators() -> None:
    """Their mean is the Dirichlet's; their likeliest labels are those of `sample_top`; a seed repeats them."""
    irn = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    samples = sample_plausibilities(irn, trust=10, draws=4000, seed=5)
    assert samples.shape == (2, 4000, 3)
    assert samples.sum(axis=2) == pytest.approx(1.0)
    assert samples.mean(axis=1) == pytest.approx((10 * irn + 0.01) / 10.03, abs=0.01)
    assert (samples.argmax(axis=2) == sample_top(irn, trust=10, draws=4000, seed=5)).all()
    assert (samples == sample_plausibilities(irn, trust=10, draws=4000, seed=5)).all()


annotators = st.lists(
    st.permutations(range(4)).flatmap(
        lambda order: st.integers(1, 4).map(lambda cut: [list(order[:cut])] if cut < 3 else [[order[0]], order[1:cut]])
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=50)
@given(annotators, st.permutations(range(4)))
def test_plausibilities_are_shares_that_follow_the_names_of_labels(
    annotations: list[list[list[int]]], renamed: list[int]
) -> None:
    """They sum to 1, ignore the order of annotators, and a renaming renames them."""
    ours = plausibilities(annotations, labels=4)
    assert ours.sum() == pytest.approx(1.0)
    assert (ours >= 0).all()
    assert plausibilities(annotations[::-1], labels=4) == pytest.approx(ours)
    other = [[[renamed[label] for label in group] for group in groups] for groups in annotations]
    assert plausibilities(other, labels=4)[renamed] == pytest.approx(ours)


@pytest.mark.parametrize("annotations", [[], [[]], [[[0], [0]]], [[[7]]], [[[-1]]]])
def test_annotations_that_rank_nothing_or_wrongly_are_refused(annotations: list[list[list[int]]]) -> None:
    """A label named twice, one that does not exist, none at all."""
    with pytest.raises(ValueError, match=r"ranking|nobody"):
        plausibilities(annotations, labels=4)


@settings(max_examples=20)
@given(st.integers(0, 200))
def test_more_predicted_labels_are_right_more_often(seed: int) -> None:
    """Up to all labels, which always hold the truth."""
    random = np.random.default_rng(seed)
    irn, posterior = random.dirichlet(np.ones(4), size=6), random.dirichlet(np.ones(4), size=6)
    top = sample_top(irn, trust=4, draws=50, seed=seed)
    values = [uncertain_accuracy(top_k_sets(posterior, k), top).value for k in range(1, 5)]
    assert values == sorted(values)
    assert values[-1] == 1.0
