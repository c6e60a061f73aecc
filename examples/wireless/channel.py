"""Radio channels drawn from stated physical models, with their labels. Knows no features and no classifiers.

Models, after which the functions are named:

- Scattering: a sum of plane waves from all around (Clarke 1968), in the form of Zheng and Xiao (2003): angles
  (2 pi m + theta) / M with a random theta, random phases. Its autocorrelation is J0(2 pi f_d tau).
- Doppler: f_d = v f_c / c, of the speed v of the mobile end (or of what moves around it) and the carrier f_c.
- Rician fading: one specular wave of K / (K + 1) of the power beside scattering.
- Nakagami-m fading: the envelope of a Rayleigh process put through the inverse of the Nakagami distribution at its
  own probability, phases kept (Beaulieu and Cheng 2005, with the exact inverse in place of their approximation).
- Power delay profile: exponential, its decay time and the K factor log-normal with the medians and deviations of 3GPP
  TR 38.901, table 7.5-6, urban macro, for and without line of sight; taps shadowed by 3 dB.
- Noise: white and circular Gaussian, of the stated SNR to the mean power of the channel, which is 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

__all__ = [
    "ANTENNAS",
    "CARRIERS_HZ",
    "LABELS",
    "SAMPLES",
    "SAMPLE_RATE_HZ",
    "SNRS_DB",
    "TAPS",
    "TAP_S",
    "TASKS",
    "Capture",
    "Labels",
    "Sample",
    "Task",
    "draw",
    "draws",
    "nakagami",
    "rician",
    "scattering",
]

Sight: TypeAlias = Literal["los", "nlos"]
Doppler: TypeAlias = Literal["static", "pedestrian", "vehicular", "high-speed"]
Fading: TypeAlias = Literal["rayleigh", "rician", "nakagami"]
Task: TypeAlias = Literal["line_of_sight", "doppler", "fading"]
Complex: TypeAlias = npt.NDArray[np.complex128]
Reals: TypeAlias = npt.NDArray[np.float64]

TASKS: tuple[Task, ...] = get_args(Task)
LABELS: dict[Task, tuple[str, ...]] = {
    "line_of_sight": get_args(Sight),
    "doppler": get_args(Doppler),
    "fading": get_args(Fading),
}
LIGHT_M_PER_S = 299_792_458.0
CARRIERS_HZ = (2.1e9, 3.5e9, 5.9e9)
SAMPLE_RATE_HZ = 8000.0
SAMPLES, ANTENNAS = 1024, 4
TAPS, TAP_S = 24, 1e-7
SNRS_DB = (0.0, 5.0, 10.0, 15.0, 20.0)
WAVES = 24

SPEEDS_M_PER_S: dict[Doppler, tuple[float, float]] = {
    "static": (0.0, 0.15),
    "pedestrian": (0.5, 2.5),
    "vehicular": (8.0, 35.0),
    "high-speed": (50.0, 140.0),
}
FADINGS: dict[Sight, dict[Fading, float]] = {
    "los": {"rayleigh": 0.0, "rician": 0.58, "nakagami": 0.42},
    "nlos": {"rayleigh": 0.66, "rician": 0.10, "nakagami": 0.24},
}
"""How often each fading comes with and without line of sight: neither label gives the other away."""
_SHADOWING_DB = 3.0


@dataclass(frozen=True, slots=True)
class Labels:
    """What a capture is."""

    line_of_sight: Sight
    doppler: Doppler
    fading: Fading

    def of(self, task: Task) -> str:
        """The label of one task."""
        return str(getattr(self, task))


@dataclass(frozen=True, slots=True)
class Capture:
    """What a receiver has of a channel.

    gains: complex128 [ANTENNAS, SAMPLES], narrow band, noise included. profile: float64 [TAPS], the averaged power of
    each delay, noise included. snr_db: as the receiver states it.
    """

    gains: Complex
    profile: Reals
    carrier_hz: float
    snr_db: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A capture and its truth."""

    capture: Capture
    labels: Labels


def scattering(random: np.random.Generator, *, doppler_hz: float, antennas: int, samples: int) -> Complex:
    """Independent Rayleigh processes of mean power 1, [antennas, samples]."""
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    theta = random.uniform(-math.pi, math.pi, (antennas, 1))
    angles = (2 * math.pi * np.arange(WAVES) + theta) / WAVES
    phases = random.uniform(-math.pi, math.pi, (antennas, WAVES))
    turns = 2 * math.pi * doppler_hz * np.cos(angles)
    waves = np.exp(1j * (turns[:, :, None] * time_s + phases[:, :, None]))
    gains: Complex = waves.sum(axis=1) / math.sqrt(WAVES)
    return gains


def rician(random: np.random.Generator, scattered: Complex, *, k: float, doppler_hz: float) -> Complex:
    """Scattering and one specular wave, of the ratio of powers `k`; mean power 1."""
    antennas, samples = scattered.shape
    turns = 2 * math.pi * doppler_hz * math.cos(random.uniform(-math.pi, math.pi))
    phases = random.uniform(-math.pi, math.pi, (antennas, 1))
    specular = np.exp(1j * (turns * np.arange(samples) / SAMPLE_RATE_HZ + phases))
    gains: Complex = math.sqrt(k / (k + 1)) * specular + scattered / math.sqrt(k + 1)
    return gains


def nakagami(scattered: Complex, *, m: float) -> Complex:
    """Rayleigh processes with their envelopes made Nakagami-m (m of at least 0.5); mean power 1."""
    power = np.abs(scattered) ** 2
    probability = np.minimum(-np.expm1(-power), 1 - 1e-12)
    envelope = np.sqrt(gammaincinv(m, probability) / m)
    gains: Complex = envelope * np.exp(1j * np.angle(scattered))
    return gains


def draw(random: np.random.Generator) -> Sample:
    """One channel: labels first, then what they leave open."""
    labels = _labels(random)
    carrier_hz = float(random.choice(CARRIERS_HZ))
    snr_db = float(random.choice(SNRS_DB))
    doppler_hz = random.uniform(*SPEEDS_M_PER_S[labels.doppler]) * carrier_hz / LIGHT_M_PER_S
    k = 10 ** (_k_db(random, labels) / 10)
    gains = _gains(random, labels, doppler_hz=doppler_hz, k=k)
    profile = _profile(random, labels, carrier_ghz=carrier_hz / 1e9, k=k)
    noise = 10 ** (-snr_db / 10)
    capture = Capture(
        gains=gains + math.sqrt(noise / 2) * (random.normal(size=gains.shape) + 1j * random.normal(size=gains.shape)),
        profile=profile + noise * random.gamma(ANTENNAS, 1 / ANTENNAS, TAPS) / TAPS,
        carrier_hz=carrier_hz,
        snr_db=snr_db,
    )
    return Sample(capture, labels)


def draws(seed: int, count: int) -> Iterator[Sample]:
    """Independent channels; the n-th of a seed is always the same."""
    for number in range(count):
        yield draw(np.random.default_rng((seed, number)))


def _labels(random: np.random.Generator) -> Labels:
    sight: Sight = "los" if random.random() < 0.5 else "nlos"  # noqa: PLR2004 - as often
    speeds: list[Doppler] = list(SPEEDS_M_PER_S)
    fadings: list[Fading] = list(FADINGS[sight])
    return Labels(
        line_of_sight=sight,
        doppler=speeds[int(random.integers(len(speeds)))],
        fading=fadings[int(random.choice(len(fadings), p=list(FADINGS[sight].values())))],
    )


def _k_db(random: np.random.Generator, labels: Labels) -> float:
    """The K factor in dB: of the direct path, or of a reflection as strong as one where there is none."""
    if labels.line_of_sight == "los":
        return float(np.clip(random.normal(9.0, 3.5), -3.0, 18.0))
    return float(random.uniform(0.0, 7.0))


def _gains(random: np.random.Generator, labels: Labels, *, doppler_hz: float, k: float) -> Complex:
    scattered = scattering(random, doppler_hz=doppler_hz, antennas=ANTENNAS, samples=SAMPLES)
    if labels.fading == "rayleigh":
        return scattered
    if labels.fading == "rician":
        return rician(random, scattered, k=k, doppler_hz=doppler_hz)
    if labels.line_of_sight == "los":
        return nakagami(scattered, m=random.uniform(2.0, 6.0))
    return nakagami(scattered, m=random.uniform(0.5, 0.75) if random.random() < 0.5 else random.uniform(1.8, 4.0))  # noqa: PLR2004 - as often


def _profile(random: np.random.Generator, labels: Labels, *, carrier_ghz: float, k: float) -> Reals:
    """Powers by delay from the first arrival, of sum 1, averaged over the antennas.

    Where there is no line of sight but a specular wave, that reflection is what arrives first.
    """
    sight = labels.line_of_sight
    log_carrier = math.log10(carrier_ghz)
    median, deviation = (-6.955 - 0.0963 * log_carrier, 0.66) if sight == "los" else (-6.28 - 0.204 * log_carrier, 0.39)
    decay_s = 10 ** random.normal(median, deviation)
    powers = np.exp(-np.arange(TAPS) * TAP_S / decay_s) * 10 ** (random.normal(0, _SHADOWING_DB, TAPS) / 10)
    scattered = powers * random.gamma(ANTENNAS, 1 / ANTENNAS, TAPS)
    scattered /= scattered.sum()
    if sight == "nlos" and labels.fading != "rician":
        return np.asarray(scattered)
    direct = np.zeros(TAPS)
    direct[0] = k / (k + 1)
    return np.asarray(direct + scattered / (k + 1))
