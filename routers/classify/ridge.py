"""Regularised least squares on targets of +1 and -1, solved once for all folds. Knows kernels as matrices alone."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import spotri

from routers.calibrate import IntArray
from routers.embedding.protocol import FloatArray

__all__ = ["SEED", "SOFTNESS", "logits_of", "projected", "sample", "solved", "targets_of", "without_fold"]

SEED = 0

SOFTNESS = 0.1
"""How early a score close to -1 stops counting as less likely; logits fall no further than its logarithm."""

MOST_EXPONENT = 700.0
TINY = float(np.finfo(np.float32).tiny)

JITTER = 1e-3
"""Added to the landmarks' own kernel, whose smallest eigenvalues are beyond float32."""


def targets_of(labels: Sequence[str], classes: Sequence[str]) -> tuple[IntArray, FloatArray]:
    """The column of each label [n], and 1 there and -1 elsewhere, float32 [n, k]."""
    column = {label: number for number, label in enumerate(classes)}
    owner = np.asarray([column[label] for label in labels], dtype=np.intp)
    targets = np.full((len(owner), len(classes)), -1, dtype=np.float32)
    targets[np.arange(len(owner)), owner] = 1
    return owner, targets


def solved(gram: FloatArray, targets: FloatArray, *, ridge: float) -> tuple[FloatArray, FloatArray]:
    """The Cholesky factor of gram + ridge I, in the place of `gram` [n, n], and the dual weights float32 [n, k]."""
    gram[np.diag_indices(len(gram))] += ridge
    factor, _ = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    return factor, np.asarray(cho_solve((factor, True), targets, check_finite=False), dtype=np.float32)


def without_fold(factor: FloatArray, targets: FloatArray, fold: IntArray) -> FloatArray:
    """The score of each row as a solve without its fold would give it, float32 [n, k]; `factor` is overwritten.

    The scores of a held-out fold S follow from the whole solve: y_S - (G^-1)_SS^-1 (G^-1 y)_S with G = K + ridge I
    (Rifkin and Lippert 2007, section 5, for folds instead of single rows).
    """
    inverse, failed = spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(f"the kernel matrix cannot be inverted ({failed})")
    scores = np.empty(targets.shape, dtype=np.float32)
    for number in np.unique(fold):
        held = np.flatnonzero(fold == number)
        block = np.tril(inverse[np.ix_(held, held)])
        block += np.tril(block, -1).T
        dual = _symmetric_rows(inverse, held) @ targets
        scores[held] = targets[held] - np.linalg.solve(block, dual)
    return scores


def projected(
    near: FloatArray, of_landmarks: Callable[[], FloatArray]
) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
    """A kernel among examples by way of landmarks, [n, n], and how dual weights [n, k] become the landmarks'.

    near: between examples and landmarks, [n, m]. of_landmarks: gives the kernel among these, [m, m]. Where every
    example is a landmark nothing is projected.
    """
    if near.shape[0] == near.shape[1]:
        return near, lambda dual: dual
    own = of_landmarks().astype(np.float64)
    own[np.diag_indices(len(own))] += JITTER
    whitening = np.linalg.cholesky(own)
    rows: FloatArray = solve_triangular(whitening, near.T, lower=True).T.astype(np.float32)

    def onto_landmarks(dual: FloatArray) -> FloatArray:
        weights: FloatArray = np.ascontiguousarray(solve_triangular(whitening.T, rows.T @ dual), dtype=np.float32)
        return weights

    return rows @ rows.T, onto_landmarks


def logits_of(scores: FloatArray) -> FloatArray:
    """Logarithms of p with a soft floor, of scores that estimate 2p - 1.

    p = s log(1 + exp((1 + f) / 2s)), s = 0.1.
    """
    shares = (1 + scores.astype(np.float64)) / (2 * SOFTNESS)
    np.minimum(shares, MOST_EXPONENT, out=shares)
    shares = np.log1p(np.exp(shares, out=shares), out=shares)  # a tenth of what `logaddexp` takes with many categories
    shares *= SOFTNESS
    np.maximum(shares, TINY, out=shares)
    return np.log(shares, out=shares).astype(np.float32)


def sample(labels: Sequence[str], most: int) -> IntArray:
    """All positions, or `most` of them with every category in its proportion, ascending."""
    if len(labels) <= most:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    names = np.asarray(labels)[shuffled]
    rank = np.empty(len(names))
    for name in np.unique(names):
        here = np.flatnonzero(names == name)
        rank[here] = (np.arange(len(here)) + 0.5) / len(here)
    return np.sort(shuffled[np.argsort(rank, kind="stable")[:most]])


def _symmetric_rows(lower: FloatArray, rows: IntArray) -> FloatArray:
    """Rows of the symmetric matrix whose lower triangle is given."""
    columns = np.arange(len(lower))
    below = columns[None, :] <= rows[:, None]
    return np.where(below, lower[rows], lower[:, rows].T)
