"""What the classifiers see of a capture: one row of numbers. Knows no labels and no model.

Envelope moments and the two K estimators that come of them (from the second and fourth moment: Greenwood and Hanzo
1989; Tepedelenlioglu, Abdi and Giannakis 2003), the share of power in one line of the spectrum, level crossings
(Rice 1945), autocorrelation, spread of the Doppler spectrum as a speed, and the moments of the power delay profile.
Powers are those of the channel: the noise of the stated SNR is taken out where it adds up.
"""

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from examples.wireless.channel import LIGHT_M_PER_S, SAMPLE_RATE_HZ, TAP_S, Capture

__all__ = ["NAMES", "features", "named_features"]

Reals: TypeAlias = npt.NDArray[np.float64]
Complex: TypeAlias = npt.NDArray[np.complex128]

_LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_LEVELS = (0.3, 0.6, 1.0, 1.4)
_QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_TINY = 1e-9


def features(capture: Capture) -> Reals:
    """The row, float64, in the order of NAMES."""
    return np.array(list(named_features(capture).values()))


def named_features(capture: Capture) -> Mapping[str, float]:
    """The same by name."""
    noise = 10 ** (-capture.snr_db / 10)
    return {
        "snr_db": capture.snr_db,
        "carrier_ghz": capture.carrier_hz / 1e9,
        **_envelope(capture.gains, noise),
        **_smoothed_envelope(capture.gains),
        **_crossings(capture.gains),
        **_correlations(capture.gains, noise),
        **_spectrum(capture.gains, capture.carrier_hz, noise),
        **_delays(capture.profile, noise),
    }


def _envelope(gains: Complex, noise: float) -> dict[str, float]:
    """Moments over all antennas; the noise's part in them is known, since it is Gaussian and independent."""
    power = np.abs(gains) ** 2
    second = max(float(power.mean()) - noise, _TINY)
    fourth = max(float((power**2).mean()) - 4 * second * noise - 2 * noise**2, _TINY)
    excess = 2 * second**2 - fourth
    specular = math.sqrt(max(excess, 0.0))
    k = specular / max(second - specular, 0.01 * second)
    spread = max(fourth - second**2, 0.01 * second**2)
    envelope = np.sqrt(power / power.mean())
    quantiles = np.quantile(envelope, _QUANTILES)
    return {
        "power_db": 10 * math.log10(second),
        "kurtosis": fourth / second**2,
        "k_db": 10 * math.log10(k + 0.01),
        "m": min(second**2 / spread, 20.0),
        "envelope_std": float(envelope.std()),
        "antenna_std": float((power.mean(axis=1) / power.mean()).std()),
        **{f"quantile_{share}": float(value) for share, value in zip(_QUANTILES, quantiles, strict=True)},
    }


def _smoothed_envelope(gains: Complex) -> dict[str, float]:
    """The same of means over blocks, which noise leaves alone but fast fading does not."""
    named = {}
    for length in (8, 64):
        blocks = np.abs(gains.reshape(len(gains), -1, length).mean(axis=2))
        blocks /= math.sqrt(float((blocks**2).mean())) + _TINY
        named[f"block_{length}_std"] = float(blocks.std())
        named[f"block_{length}_kurtosis"] = float((blocks**4).mean())
    return named


def _crossings(gains: Complex) -> dict[str, float]:
    """Upward crossings of levels relative to the root mean square, log10 of (1 + crossings a second)."""
    envelope = np.abs(gains)
    envelope = envelope / np.sqrt((envelope**2).mean())
    duration_s = envelope.size / SAMPLE_RATE_HZ
    named = {}
    for level in _LEVELS:
        above = envelope >= level
        upward = int((above[:, 1:] & ~above[:, :-1]).sum())
        named[f"crossings_{level}"] = math.log10(1 + upward / duration_s)
    return named


def _correlations(gains: Complex, noise: float) -> dict[str, float]:
    """Real part and size of the normalised autocorrelation; white noise is in lag 0 alone."""
    power = max(float((np.abs(gains) ** 2).mean()) - noise, 0.05)
    named = {}
    for lag in _LAGS:
        products = (gains[:, lag:] * gains[:, :-lag].conj()).mean(axis=1)
        named[f"correlation_{lag}"] = float(np.clip(products.mean().real / power, -2, 2))
        named[f"correlation_size_{lag}"] = float(np.clip(np.abs(products).mean() / power, 0, 2))
    return named


def _spectrum(gains: Complex, carrier_hz: float, noise: float) -> dict[str, float]:
    """The strongest line's share of the power, and how wide the rest is, as a speed at the carrier."""
    window = np.hanning(gains.shape[1])
    spectrum = np.abs(np.fft.fft(gains * window, axis=1)) ** 2 / (window**2).sum() / gains.shape[1]
    mean = spectrum.mean(axis=0)
    frequencies = np.abs(np.fft.fftfreq(gains.shape[1], 1 / SAMPLE_RATE_HZ))
    heard = np.maximum(mean - 1.5 * noise / len(mean), 0)
    total = heard.sum() + _TINY
    width_hz = math.sqrt(float((heard * frequencies**2).sum() / total))
    order = np.argsort(frequencies)
    edge_hz = float(frequencies[order][np.searchsorted(np.cumsum(heard[order]), 0.9 * total)])
    ranked = np.sort(mean)[::-1] / mean.sum()
    each = spectrum / spectrum.sum(axis=1, keepdims=True)
    return {
        "line_share": float(ranked[:3].sum()),
        "second_line_share": float(ranked[3:6].sum()),
        "lines_10_share": float(ranked[:10].sum()),
        "line_share_by_antenna": float(each.max(axis=1).mean()),
        "line_antenna_std": float((spectrum[:, mean.argmax()] / (mean.max() + _TINY)).std()),
        "log_speed_width": math.log10(0.05 + width_hz * LIGHT_M_PER_S / carrier_hz),
        "log_speed_edge": math.log10(0.05 + edge_hz * LIGHT_M_PER_S / carrier_hz),
    }


def _delays(profile: Reals, noise: float) -> dict[str, float]:
    """Mean and root mean square of the excess delay in units of 100 ns, and where the power is."""
    powers = np.maximum(profile - 1.5 * noise / len(profile), 0)
    powers = powers / (powers.sum() + _TINY)
    delays_s = np.arange(len(powers)) * TAP_S
    mean_s = float((powers * delays_s).sum())
    spread_s = math.sqrt(max(float((powers * delays_s**2).sum()) - mean_s**2, 0.0))
    return {
        "delay_mean": mean_s / 1e-7,
        "delay_spread": spread_s / 1e-7,
        "log_delay_spread": math.log10(spread_s / 1e-7 + 0.05),
        "first_tap": float(powers[0]),
        "second_tap": float(powers[1]),
        "strongest_tap": float(powers.max()),
        "strongest_at": float(powers.argmax()),
        "taps_in_use": float((powers > 0.01).sum()),  # noqa: PLR2004 - 20 dB below all
    }


NAMES: tuple[str, ...] = tuple(
    named_features(Capture(np.ones((1, 1024), dtype=np.complex128), np.ones(8), 2.1e9, 10.0))
)
"""The features' names, in their order."""
