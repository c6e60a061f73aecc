"""The example's channels have the statistics of the models they are named for."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import j0

from examples.wireless.captures import UnknownCapture, capture_of, id_in, saved, stored
from examples.wireless.channel import LABELS, SAMPLE_RATE_HZ, TASKS, draws, nakagami, rician, scattering
from examples.wireless.features import NAMES, features, named_features

MANY = 400


def test_every_model_has_mean_power_one() -> None:
    """Scattering, Rician and Nakagami channels, averaged over many antennas."""
    random = np.random.default_rng(0)
    scattered = scattering(random, doppler_hz=300.0, antennas=MANY, samples=256)
    models = [scattered, rician(random, scattered, k=5.0, doppler_hz=300.0)]
    models += [nakagami(scattered, m=m) for m in (0.5, 1.0, 4.0)]
    assert [float((np.abs(gains) ** 2).mean()) for gains in models] == pytest.approx([1.0] * 5, abs=0.05)


def test_scattering_is_correlated_as_the_bessel_function_says() -> None:
    """Clarke: the autocorrelation at lag tau is J0(2 pi f_d tau)."""
    doppler_hz = 200.0
    gains = scattering(np.random.default_rng(1), doppler_hz=doppler_hz, antennas=MANY, samples=256)
    lags = np.array([1, 5, 10, 15, 20, 30, 40])
    measured = [float((gains[:, lag:] * gains[:, :-lag].conj()).mean().real) for lag in lags]
    assert measured == pytest.approx(j0(2 * np.pi * doppler_hz * lags / SAMPLE_RATE_HZ), abs=0.05)


@pytest.mark.parametrize("k", [1.0, 4.0, 10.0])
def test_k_of_the_moments_is_the_k_of_the_channel(k: float) -> None:
    """The estimator from the second and fourth moment, on many antennas."""
    random = np.random.default_rng(2)
    gains = rician(random, scattering(random, doppler_hz=400.0, antennas=MANY, samples=256), k=k, doppler_hz=400.0)
    power = np.abs(gains) ** 2
    specular = np.sqrt(2 * power.mean() ** 2 - (power**2).mean())
    assert float(specular / (power.mean() - specular)) == pytest.approx(k, rel=0.15)


@pytest.mark.parametrize("m", [0.5, 1.0, 3.0])
def test_m_of_the_moments_is_the_m_of_the_channel(m: float) -> None:
    """Nakagami: m is the squared mean of the power over its variance."""
    power = (
        np.abs(nakagami(scattering(np.random.default_rng(3), doppler_hz=400.0, antennas=MANY, samples=256), m=m)) ** 2
    )
    assert float(power.mean() ** 2 / power.var()) == pytest.approx(m, rel=0.1)


def test_nakagami_with_m_of_one_is_rayleigh() -> None:
    """The transformation is the identity there."""
    scattered = scattering(np.random.default_rng(4), doppler_hz=100.0, antennas=2, samples=64)
    assert nakagami(scattered, m=1.0) == pytest.approx(scattered)


def test_a_seed_gives_the_same_channels_and_every_label() -> None:
    """Drawn twice they are equal; among a hundred each label of each task occurs."""
    once, again = list(draws(5, 100)), list(draws(5, 3))
    assert all(np.array_equal(a.capture.gains, b.capture.gains) for a, b in zip(once, again, strict=False))
    for task in TASKS:
        assert {sample.labels.of(task) for sample in once} == set(LABELS[task])


def test_noise_has_the_stated_power() -> None:
    """Samples of a seed at 0 dB have twice the power of the channel."""
    powers = [float((np.abs(s.capture.gains) ** 2).mean()) for s in draws(6, 150) if s.capture.snr_db == 0]
    assert np.mean(powers) == pytest.approx(2.0, abs=0.3)


def test_features_are_finite_and_take_the_noise_out() -> None:
    """As many as have names, for every drawn channel."""
    rows = np.stack([features(sample.capture) for sample in draws(7, 20)])
    assert rows.shape == (20, len(NAMES))
    assert np.isfinite(rows).all()
    assert np.median(rows[:, NAMES.index("power_db")]) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [("what is this?", "name a capture"), ("compare c-0001 and c-0002", "one capture at a time"), ("", "name a")],
)
def test_a_text_that_names_not_one_capture_is_refused(text: str, said: str) -> None:
    """None, or two."""
    with pytest.raises(UnknownCapture, match=said):
        id_in(text)


def test_an_id_is_found_in_a_sentence_and_leads_to_no_other_folder(tmp_path: Path) -> None:
    """Upper case and repeats do not matter; a path is none."""
    assert id_in("Is C-0042 (yes, c-0042) static?") == "c-0042"
    assert id_in("f-../../etc/passwd or f-lab-1?") == "f-lab-1"
    with pytest.raises(UnknownCapture):
        capture_of("f-lab-1", folder=tmp_path)
    with pytest.raises(UnknownCapture):
        capture_of("f-lab-1")


def test_a_capture_of_a_file_is_the_one_that_was_saved(tmp_path: Path) -> None:
    """And a file that holds something else is refused."""
    capture = stored(7).capture
    saved(capture, tmp_path / "lab-1.npz")
    assert named_features(capture_of("f-lab-1", folder=tmp_path)) == named_features(capture)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "short.npz").write_bytes((tmp_path / "lab-1.npz").read_bytes()[:5000])
    np.savez(tmp_path / "small.npz", gains=np.ones((2, 2)), profile=np.ones(3), stated=np.ones(2))
    for name in ("f-bad", "f-small", "f-empty", "f-short"):
        with pytest.raises(UnknownCapture, match=name):
            capture_of(name, folder=tmp_path)
