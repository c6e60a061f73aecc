"""Which calibration a router has, how it is chosen, and that neither kind changes what the classifier said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from routers.artifact import load, read_manifest, save
from routers.calibrate import IntArray, Probabilities, expected_calibration_error, fit_curve, softmax
from routers.calibration import Calibration
from routers.embedding import Embedder
from routers.held_out import HeldOut
from routers.trained import Trained

logits = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 12), st.integers(2, 6)), elements=st.floats(-50, 50, width=32)
)
shares = st.floats(0, 1)


@st.composite
def calibrations(draw: st.DrawFn) -> Calibration:
    """Any temperature, and any curve that there may be, level ones too."""
    at = sorted(draw(st.lists(shares, min_size=1, max_size=8, unique=True)))
    to = sorted(draw(st.lists(shares, min_size=len(at), max_size=len(at))))
    curve = draw(st.sampled_from([None, tuple(zip(at, to, strict=True))]))
    return Calibration(draw(st.floats(0.01, 100)), curve)


@given(logits, calibrations())
def test_every_row_is_a_distribution(z: Any, calibration: Calibration) -> None:
    """Specified: whatever the curve, also one that is 0 where all of them are."""
    posterior = calibration.posterior(z)
    assert np.all(posterior >= 0)
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-9)


@given(logits, calibrations())
def test_categories_keep_the_order_that_the_classifier_gave_them(z: Any, calibration: Calibration) -> None:
    """Specified: calibration says how sure the router is, never of what; differences beyond rounding stay."""
    scaled, posterior = softmax(z, calibration.temperature), calibration.posterior(z)
    for before, after in zip(scaled, posterior, strict=True):
        ahead = before[:, None] > before[None, :] + 1e-5
        assert np.all((after[:, None] > after[None, :])[ahead])
        assert after[before.argmax()] >= after.max() - 1e-9


@given(logits, st.integers(0, 2**32 - 1))
def test_a_fitted_curve_rises_and_is_never_nothing(z: Any, seed: int) -> None:
    """Ours: no share is 0, so that a category which never came true yet is unlikely and not impossible."""
    labels = np.random.default_rng(seed).integers(0, z.shape[1], len(z))
    fitted = Calibration.fitted("isotonic", z, labels)
    assert fitted.curve is not None
    assert min(share for _, share in fitted.curve) > 0
    assert fitted.kind == "isotonic"
    posterior = fitted.posterior(z)
    assert np.all(posterior > 0)
    assert np.all(np.isfinite(posterior))


def test_a_curve_of_known_shares() -> None:
    """Worked by hand: .8 came true in one of two, .2 in one of two, so both pool at a half (but for the smoothing)."""
    curve = fit_curve(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1]))
    assert curve == ((0.2, 0.5), (0.8, 0.5))


@pytest.mark.parametrize(
    ("temperature", "curve"),
    [
        (0.0, None),
        (np.inf, None),
        (np.nan, None),
        (1.0, ()),
        (1.0, ((0.1, 0.5), (0.1, 0.6))),
        (1.0, ((0.1, 0.5), (0.2, 0.4))),
        (1.0, ((0.1, -0.5), (0.2, 0.4))),
        (1.0, ((0.1, 0.5), (0.2, np.nan))),
    ],
)
def test_what_is_no_calibration_is_refused(temperature: float, curve: Any) -> None:
    """Specified: a temperature above 0, and a rising curve within 0 to 1."""
    with pytest.raises(ValueError, match="must"):
        Calibration(temperature, curve)


def drawn(probabilities: Probabilities, rng: np.random.Generator) -> IntArray:
    """Labels that come true as often as these probabilities say."""
    labels: IntArray = (rng.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return labels


def held_out(n: int, *, bent: bool) -> HeldOut:
    """Logits of three categories; what comes true follows their softmax, or a curve that no temperature is."""
    rng = np.random.default_rng(11)
    z = rng.normal(scale=2.0, size=(n, 3))
    true = Calibration(1.0, ((0.0, 0.1), (0.7, 0.3), (1.0, 0.5))).posterior(z) if bent else softmax(z)
    return HeldOut(classes=("a", "b", "c"), logits=z.astype(np.float32), labels=drawn(true, rng), fold=np.arange(n) % 5)


def test_isotonic_is_taken_where_no_temperature_fits() -> None:
    """Specified: chosen by log-loss on the fold that was left out; its error is the smaller one too."""
    found = held_out(4_000, bent=True).calibrations()
    assert (found.chosen, found.gain > found.standard_error) == ("isotonic", True)
    assert found.isotonic.log_loss < found.temperature.log_loss
    assert found.isotonic.ece < found.temperature.ece


def test_a_temperature_is_kept_where_it_fits() -> None:
    """Specified: a curve has to earn its many numbers."""
    assert held_out(4_000, bent=False).calibrations().chosen == "temperature"


def test_few_queries_keep_the_temperature() -> None:
    """Specified: though the truth is the same curve, 40 queries do not show it beyond noise."""
    assert held_out(40, bent=True).calibrations().chosen == "temperature"


@pytest.mark.parametrize("kind", ["temperature", "isotonic"])
def test_figures_are_those_of_the_calibration_that_was_chosen(kind: Any) -> None:
    """Calibration error, sets and gate of the report all stand on the same posterior; coverage is what was asked."""
    queries = held_out(4_000, bent=True)
    measures = queries.measures(alpha=0.1, false_reject=0.05, kind=kind)
    assert measures.ece_after == getattr(queries.calibrations(), kind).ece
    assert measures.coverage == pytest.approx(0.9, abs=0.02)
    settings = queries.settings(alpha=0.1, false_reject=0.05, kind=kind)
    assert settings.calibration.kind == kind
    posterior = settings.calibration.posterior(queries.logits)
    right = posterior.argmax(axis=1) == queries.labels
    assert (posterior.max(axis=1)[right] < settings.gate.threshold).mean() <= 0.05


def test_an_isotonic_calibration_holds_on_queries_that_nobody_saw() -> None:
    """Fitted on one half of the queries, its error on the other is that of noise; the temperature's is not."""
    queries = held_out(8_000, bent=True)
    half = np.arange(8_000) < 4_000
    error = {
        kind: expected_calibration_error(
            Calibration.fitted(kind, queries.logits[half], queries.labels[half]).posterior(queries.logits[~half]),
            queries.labels[~half],
        )
        for kind in ("temperature", "isotonic")
    }
    assert error["isotonic"] < 0.025
    assert error["isotonic"] < error["temperature"]


def test_training_reports_both_kinds_and_keeps_the_temperature_of_few_queries(trained: Trained) -> None:
    """48 queries; what was chosen is what serves."""
    report = trained.report.calibration
    assert report.chosen == trained.router.calibration.kind == "temperature"
    assert trained.report.ece_after == report.temperature.ece
    assert 0 <= report.isotonic.ece <= 1


def test_a_curve_comes_back_from_the_artifact_to_the_last_bit(
    trained: Trained, embedder: Embedder, tmp_path: Path
) -> None:
    """Its numbers, and so the posterior, sets and gate of every query."""
    curve = fit_curve(softmax(np.random.default_rng(0).normal(size=(50, 6))), np.arange(50) % 6)
    bent = replace(trained, router=replace(trained.router, calibration=Calibration(0.7, curve)))
    save(bent, tmp_path / "router", embedder="minilm")
    loaded = load(tmp_path / "router", embedder=embedder)
    assert loaded.calibration == Calibration(0.7, curve)
    assert read_manifest(tmp_path / "router").calibration.curve == curve
    queries = ["boil an egg", "", "what is 7 times 8"]
    assert loaded.classify(queries) == bent.router.classify(queries)
    assert loaded.classify(queries) != trained.router.classify(queries)
