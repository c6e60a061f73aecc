"""Probabilities that mean what they say: calibration fits, calibration error, conformal category sets.

Knows numbers alone: rows are queries, columns categories, labels are column numbers.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from routers.embedding.protocol import FloatArray

__all__ = [
    "IntArray",
    "Probabilities",
    "conformal_quantile",
    "conformal_sets",
    "expected_calibration_error",
    "fit_curve",
    "fit_temperature",
    "kept_as_stated",
    "softmax",
]

Probabilities = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

LOG_TEMPERATURE_BOUNDS = (math.log(0.01), math.log(100.0))


def softmax(logits: FloatArray | Probabilities, temperature: float = 1.0) -> Probabilities:
    """float64 [n, k], rows sum to 1: q_c = exp(z_c / T) / sum_j exp(z_j / T)."""
    posterior: Probabilities = np.divide(logits, temperature, dtype=np.float64)
    posterior -= np.maximum.reduce(posterior, axis=1, keepdims=True)
    np.exp(posterior, out=posterior)
    posterior /= np.add.reduce(posterior, axis=1, keepdims=True)
    return posterior


def kept_as_stated(posterior: Probabilities, stated: Probabilities | None) -> Probabilities:
    """The calibrated posterior with those rows that were stated by people, [n, k]; rows of NaN were not."""
    if stated is None:
        return posterior
    kept: Probabilities = np.where(np.isnan(stated), posterior, stated)
    return kept


def fit_temperature(logits: FloatArray | Probabilities, labels: IntArray) -> float:
    """The temperature T in [0.01, 100] that makes softmax(z / T) most likely on held-out queries.

    Guo et al. 2017 (arXiv 1706.04599), section 4.2: T minimises the mean negative log-likelihood, which has one
    minimum. The targets are smoothed as in Platt 1999, equation 1 (the true category gets 1 - e, the others share e,
    e = 1 / (n + 2)): with few queries, all of them right, plain likelihood would take T to zero and certainty to one.
    """
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    right, wrong = _targets(*z.shape)
    true = z[np.arange(len(z)), labels]
    aimed = float((wrong * z.sum(axis=1) + (right - wrong) * true).mean())

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.log(np.exp(z * inverse).sum(axis=1)).mean()) - aimed * inverse

    found = minimize_scalar(loss, bounds=LOG_TEMPERATURE_BOUNDS, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def fit_curve(posterior: Probabilities, labels: IntArray) -> tuple[tuple[float, float], ...]:
    """What share of the categories given each probability are the true one: a rising curve, as its corners.

    Isotonic regression (Zadrozny and Elkan 2002) on the probabilities of all categories together, [n, k]; by least
    squares, with the targets of `fit_temperature`, so that no share is 0 and no surprise infinitely unlikely.
    """
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - a second that only training should pay

    right, wrong = _targets(*posterior.shape)
    targets = np.full(posterior.shape, wrong)
    targets[np.arange(len(labels)), labels] = right
    fitted = IsotonicRegression(out_of_bounds="clip").fit(posterior.ravel(), targets.ravel())
    return tuple(zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True))


def _targets(n: int, k: int) -> tuple[float, float]:
    """What n queries make of certainty: the target of a true category and of each of the k - 1 others."""
    smoothing = 1.0 / (n + 2)
    return 1.0 - smoothing, smoothing / max(k - 1, 1)


def expected_calibration_error(posterior: Probabilities, labels: IntArray, *, bins: int = 15) -> float:
    """How far confidence is from accuracy, 0 to 1.

    Guo et al. 2017, equation 3: sum over equal-width bins B of the largest probability of |B| / n |acc(B) - conf(B)|.
    """
    confidence = posterior.max(axis=1)
    right = posterior.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def conformal_quantile(posterior: Probabilities, labels: IntArray, *, alpha: float) -> float:
    """The score that the true category of a new query keeps below with probability >= 1 - alpha.

    Split conformal prediction with the score s = 1 - q_y (LAC: Sadinle, Lei and Wasserman 2019; Angelopoulos and
    Bates 2021, arXiv 2107.07511, section 1): the ceil((n + 1)(1 - alpha))-th smallest of n scores, and 1, which
    admits every category, when there are too few scores for that rank.
    """
    scores = np.sort(1.0 - posterior[np.arange(len(labels)), labels])
    rank = math.ceil((len(scores) + 1) * (1.0 - alpha))
    return float(scores[rank - 1]) if rank <= len(scores) else 1.0


def conformal_sets(posterior: Probabilities, quantile: float) -> npt.NDArray[np.bool_]:
    """Which categories are in each set, [n, k]: 1 - q_c <= quantile, and the likeliest always: no set is empty."""
    inside: npt.NDArray[np.bool_] = (1.0 - posterior) <= quantile
    inside[np.arange(len(posterior)), posterior.argmax(axis=1)] = True
    return inside
