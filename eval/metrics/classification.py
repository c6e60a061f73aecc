"""Right or wrong: accuracy, recall, F1, confusion and top-k. Labels are names; columns of a posterior are numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Probabilities
from eval.metrics.bootstrap import Resampling
from eval.metrics.figures import Figure, share

__all__ = ["accuracy", "confusion", "in_top_k", "macro_f1", "recalls", "top_k_sets"]


def accuracy(truth: Sequence[str], predicted: Sequence[str]) -> Figure:
    """The share that was predicted right, with Wilson's interval; raises ValueError for no rows."""
    return share(sum(true == guess for true, guess in zip(truth, predicted, strict=True)), len(truth))


def confusion(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts by true and then predicted label, every label that occurs in both roles, sorted."""
    labels = sorted({*truth, *predicted})
    counts = Counter(zip(truth, predicted, strict=True))
    return {true: {guess: counts[true, guess] for guess in labels} for true in labels}


def recalls(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, Figure]:
    """By true label, the share that was predicted right."""
    total = Counter(truth)
    right = Counter(true for true, guess in zip(truth, predicted, strict=True) if true == guess)
    return {label: share(right[label], total[label]) for label in sorted(total)}


def macro_f1(truth: Sequence[str], predicted: Sequence[str], *, resampling: Resampling | None = None) -> Figure:
    """The mean over true labels of 2 TP / (2 TP + FP + FN), 0 to 1; its interval where a `resampling` is given.

    A label that is only ever predicted has no F1 of its own: it counts as the false positive that it is. In each
    resample the true labels are those that were drawn.
    """
    if not truth or len(truth) != len(predicted):
        message = f"{len(truth)} true labels and {len(predicted)} predictions have no F1"
        raise ValueError(message)
    number = {label: position for position, label in enumerate(sorted({*truth, *predicted}))}
    true = np.array([number[label] for label in truth])
    guess = np.array([number[label] for label in predicted])
    if resampling is None:
        return Figure(_macro_f1(true, guess, labels=len(number)), None, len(truth))
    return resampling.of_rows(lambda rows: _macro_f1(true[rows], guess[rows], labels=len(number)))


def _macro_f1(true: IntArray, guess: IntArray, *, labels: int) -> float:
    total = np.bincount(true, minlength=labels)
    guessed = np.bincount(guess, minlength=labels)
    right = np.bincount(true[true == guess], minlength=labels)
    there = total > 0
    return float(np.mean(2 * right[there] / (total[there] + guessed[there])))


def top_k_sets(posterior: Probabilities, k: int) -> Flags:
    """Each row's k most probable columns, [n, c] -> [n, c]; of equal ones the first counts as higher, as in argmax."""
    sets = np.zeros(posterior.shape, dtype=np.bool_)
    best = np.argsort(-posterior, axis=1, kind="stable")[:, :k]
    np.put_along_axis(sets, best, values=True, axis=1)
    return sets


def in_top_k(posterior: Probabilities, labels: IntArray, k: int) -> Flags:
    """Whether each row's label is among its k most probable columns, [n]; k = 1 is plain accuracy."""
    inside: Flags = top_k_sets(posterior, k)[np.arange(len(labels)), labels]
    return inside
