"""The drift watch: quiet while nothing changes, quick when something does, and right about what and since when."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.usage.drift import KEPT, REFERENCE, Alert, DriftWatch, Signal, Slice


def watched(values: np.ndarray, *, signal: Signal = "confidence") -> list[Alert]:
    """The alerts of one stream alone."""
    watch = DriftWatch()
    return [
        alert
        for place, value in enumerate(values)
        for alert in watch.observe(signal, float(value), observation=str(place))
    ]


def test_stationary_traffic_raises_hardly_any_alert() -> None:
    """Specified: all signals in all slices together, 1,000 decisions a run: at most 5 % of the runs raise one."""
    rng = np.random.default_rng(0)
    runs, decisions, with_alert = 20, 1000, 0
    signals: tuple[Signal, ...] = ("confidence", "familiarity", "score")
    for _ in range(runs):
        watch, found = DriftWatch(), 0
        columns = [
            rng.beta(6, 1.2, decisions),
            rng.standard_t(4, decisions),
            (rng.random(decisions) < 0.8).astype(float),
        ]
        categories, experts = rng.integers(8, size=decisions), rng.integers(4, size=decisions)
        for number in range(decisions):
            for signal, column in zip(signals, columns, strict=True):
                found += len(
                    watch.observe(
                        signal,
                        float(column[number]),
                        observation="",
                        category=f"c{categories[number]}",
                        expert=f"e{experts[number]}",
                    )
                )
        with_alert += found > 0
    assert with_alert <= runs * 0.05


@pytest.mark.parametrize(("shift", "within"), [(1.0, 90), (2.0, 35), (-1.0, 90)])
def test_a_shift_is_noticed_soon(shift: float, within: int) -> None:
    """Specified: by so many spreads, after 300 usual values; in 19 of 20 streams within so many values, none before."""
    rng = np.random.default_rng(1)
    delays: list[int] = []
    misses: list[int] = []
    for _ in range(20):
        values = rng.normal(size=600)
        values[300:] += shift
        first = watched(values)[0]
        delays.append(int(first.observation) - 300)
        assert (first.after - first.before) * shift > 0
        misses.append(abs(int(first.since) - 300))
    assert sorted(misses)[10] <= 10
    assert min(delays) >= 0
    assert sorted(delays)[18] <= within


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-1e3, 1e3),
    seed=st.integers(0, 1000),
    shifted=st.booleans(),
)
def test_the_scale_of_a_signal_does_not_matter(scale: float, offset: float, seed: int, *, shifted: bool) -> None:
    """Ours: what counts is the order of the values; so the same limits hold for any signal."""
    values = np.random.default_rng(seed).normal(size=250)
    values[150:] += 1.5 * shifted
    values = np.round(values, 3)  # last, so that what is equal stays equal at every scale
    plain = [(alert.observation, alert.since) for alert in watched(values)]
    assert plain == [(alert.observation, alert.since) for alert in watched(values * scale + offset * scale)]


@given(value=st.floats(0, 1), count=st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_a_constant_stream_never_moves(value: float, count: int) -> None:
    """Ours: all values equal, of whatever size."""
    assert watched(np.full(count, value)) == []


def test_the_slice_that_moved_is_named_and_others_are_not() -> None:
    """Specified: one category of four falls; it alone is named, and it leads what moves of the whole."""
    rng = np.random.default_rng(3)
    watch = DriftWatch()
    found: list[Alert] = []
    for number in range(1200):
        category = f"c{number % 4}"
        value = rng.normal() - (2.0 if category == "c2" and number >= 600 else 0.0)
        found += watch.observe("familiarity", value, observation=str(number), category=category)
    assert Slice("category", "c2") in {alert.slice for alert in found}
    assert {alert.slice for alert in found} <= {Slice("category", "c2"), Slice("overall")}
    first = next(alert for alert in found if alert.slice.kind == "category")
    assert int(first.since) == pytest.approx(600, abs=8)
    assert first.before == pytest.approx(0, abs=0.3)
    assert first.after == pytest.approx(-2, abs=0.5)
    assert {alert.led_by for alert in found if alert.slice.kind == "overall"} <= {"c2"}


def test_a_stream_that_has_moved_is_watched_again() -> None:
    """Ours: the new level is the usual one from then on; going back is a second alert."""
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(size=300), rng.normal(5, size=300), rng.normal(size=300)])
    alerts = watched(values)
    assert [round(alert.after - alert.before) // 4 for alert in alerts] == [1, -2]
    assert all(abs(int(alert.since) - start) <= 5 for alert, start in zip(alerts, (300, 600), strict=True))


def test_memory_is_bounded_and_too_few_values_say_nothing() -> None:
    """Ours: no alert before the reference is whole; of a long stream the latest values are kept."""
    assert watched(np.r_[np.zeros(REFERENCE // 2), np.ones(REFERENCE // 2 - 1)]) == []
    values = np.r_[np.random.default_rng(5).random(5 * KEPT), np.full(200, 2.0)]
    (alert,) = watched(values)
    assert int(alert.since) == pytest.approx(5 * KEPT, abs=5)
    assert alert.before == pytest.approx(0.5, abs=0.05)
