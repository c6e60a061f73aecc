"""Intervals by resampling: against scipy's bootstrap and the normal theory, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from eval.metrics import Resampling

DATA = np.random.default_rng(7)
SKEWED = DATA.exponential(size=400)
BEFORE = (DATA.random(500) < 0.6).astype(float)
AFTER = np.where(DATA.random(500) < 0.1, 1.0, BEFORE)


def test_the_mean_and_its_interval_are_scipys() -> None:
    """Percentile intervals with another generator agree within the noise of drawing (a tenth of the width)."""
    figure = Resampling(400, draws=4000, seed=1).mean(SKEWED)
    theirs = bootstrap(
        (SKEWED,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert figure.value == pytest.approx(SKEWED.mean())
    assert figure.ci95 == pytest.approx((theirs.low, theirs.high), abs=0.1 * (theirs.high - theirs.low))


def test_any_statistic_has_scipys_interval() -> None:
    """A standard deviation, which no mean of rows gives."""
    figure = Resampling(400, draws=3000, seed=1).of_rows(lambda rows: float(SKEWED[rows].std()))
    theirs = bootstrap(
        (SKEWED,), np.std, n_resamples=3000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert figure.ci95 == pytest.approx((theirs.low, theirs.high), abs=0.1 * (theirs.high - theirs.low))


def test_a_paired_difference_has_scipys_paired_interval() -> None:
    """Drawn together, the two are told apart; the share of queries that changed is all that varies."""
    difference = Resampling(500, draws=3000, seed=1).difference(AFTER, BEFORE)
    theirs = bootstrap(
        (AFTER, BEFORE),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=3000,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    assert difference.figure.ci95 == pytest.approx((theirs.low, theirs.high), abs=0.1 * (theirs.high - theirs.low))
    assert difference.verdict == "better"


def test_the_interval_of_a_mean_is_the_normal_one_for_many_queries() -> None:
    """1.96 standard errors each way."""
    figure = Resampling(400, draws=4000, seed=5).mean(SKEWED)
    half = 1.96 * SKEWED.std() / 20
    assert figure.ci95 == pytest.approx((SKEWED.mean() - half, SKEWED.mean() + half), abs=0.15 * half)


def test_the_three_ways_to_a_mean_agree() -> None:
    """By counts, by columns and by rows: the same queries are drawn."""
    resampling = Resampling(60, draws=200, seed=9)
    values = SKEWED[:60]
    by_mean = resampling.mean(values)
    by_columns = resampling.of_means(values[:, None], lambda means: float(means[0]))
    by_rows = Resampling(60, draws=200, seed=9).of_rows(lambda rows: float(values[rows].mean()))
    assert by_columns.ci95 == pytest.approx(by_mean.ci95)
    assert by_rows.ci95 == pytest.approx(by_mean.ci95)


def test_large_data_are_drawn_in_parts_without_a_trace() -> None:
    """More cells than one part holds; every resample has n queries."""
    resampling = Resampling(20_000, draws=120, seed=0)
    means = resampling.means(np.column_stack((np.ones(20_000), np.arange(20_000.0))))
    assert means.shape == (120, 2)
    assert means[:, 0] == pytest.approx(1.0)
    assert means[:, 1].std() == pytest.approx(20_000 / np.sqrt(12 * 20_000), rel=0.25)


def test_the_same_seed_draws_the_same_queries_and_another_does_not() -> None:
    """A second run gives the same figures."""
    first, second, other = (Resampling(400, draws=100, seed=seed).mean(SKEWED) for seed in (3, 3, 4))
    assert first == second
    assert first.ci95 != other.ci95


@pytest.mark.parametrize(
    ("after", "higher_is_better", "verdict"),
    [(AFTER, True, "better"), (AFTER, False, "worse"), (BEFORE, True, "not distinguishable")],
)
def test_a_difference_says_what_it_means(after: np.ndarray, higher_is_better: bool, verdict: str) -> None:  # noqa: FBT001
    """An interval beyond 0 is a change; which way is good depends on the measure."""
    difference = Resampling(500, draws=300).difference(after, BEFORE, higher_is_better=higher_is_better)
    assert difference.verdict == verdict
    assert difference.as_dict()["verdict"] == verdict


def test_noise_is_not_distinguishable() -> None:
    """Two coins over the same queries."""
    random = np.random.default_rng(11)
    difference = Resampling(300, draws=500).difference(random.random(300) < 0.5, random.random(300) < 0.5)
    assert difference.verdict == "not distinguishable"


def test_differences_of_statistics_are_paired() -> None:
    """A statistic less itself is 0 in every resample."""
    same = Resampling(100, draws=50).difference_of_rows(
        lambda rows: float(np.median(SKEWED[rows])), lambda rows: float(np.median(SKEWED[rows]))
    )
    assert same.figure.ci95 == (0.0, 0.0)
    assert same.verdict == "not distinguishable"


def test_one_query_has_no_interval() -> None:
    """Drawing it again and again shows nothing."""
    assert Resampling(1).mean([0.3]).ci95 is None


def test_a_statistic_that_is_often_undefined_has_no_interval() -> None:
    """And one that is rarely so has that of the rest."""

    def where_first_is_drawn(rows: np.ndarray) -> float:
        return 1.0 if 0 in rows else float("nan")

    assert Resampling(50, draws=200).of_rows(where_first_is_drawn).ci95 is None
    rarely = Resampling(50, draws=200).of_rows(lambda rows: 2.0 if set(rows) & set(range(20)) else float("nan"))
    assert rarely.ci95 == (2.0, 2.0)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, float("nan"), 2.0], 3.0])
def test_missing_values_are_refused(values: object) -> None:
    """Which queries are left out is the caller's to say."""
    with pytest.raises(ValueError, match="quer"):
        Resampling(3).mean(values)  # type: ignore[arg-type]


def test_no_queries_are_refused() -> None:
    """There is nothing to draw from."""
    with pytest.raises(ValueError, match="0 queries"):
        Resampling(0)


@settings(max_examples=25)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(-3, 3), st.floats(0.1, 4))
def test_intervals_move_and_stretch_with_the_values(values: list[float], shift: float, scale: float) -> None:
    """A change of unit changes nothing else; the interval stays within the values."""
    resampling = Resampling(len(values), draws=60, seed=2)
    plain = resampling.mean(values)
    moved = resampling.mean([shift + scale * value for value in values])
    assert plain.ci95 is not None
    assert moved.ci95 == pytest.approx([shift + scale * end for end in plain.ci95], abs=1e-9)
    assert min(values) - 1e-9 <= plain.ci95[0] <= plain.ci95[1] <= max(values) + 1e-9


def test_strata_keep_their_sizes() -> None:
    """Ours: what is the same within each group does not vary; without strata the groups' sizes do."""
    groups = np.array([0] * 3 + [1] * 7)
    values = groups.astype(np.float64)
    assert Resampling(10, strata=groups).mean(values).ci95 == pytest.approx((0.7, 0.7))
    low, high = Resampling(10).mean(values).ci95 or (0.7, 0.7)
    assert low < 0.7 < high
    with pytest.raises(ValueError, match="strata"):
        Resampling(9, strata=groups)
