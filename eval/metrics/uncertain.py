"""Accuracy where annotators disagree: the truth of a query is a distribution over labels, itself uncertain.

Stutz et al. 2023 (arXiv 2307.02191). An annotation is a partial ranking: groups of labels held to be equally likely,
the likeliest group first; labels left out are taken as impossible. Labels are column numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Reals

__all__ = [
    "BIAS",
    "Annotation",
    "UncertainAccuracy",
    "certainties",
    "plausibilities",
    "sample_plausibilities",
    "sample_top",
    "sampled_right",
    "uncertain_accuracy",
]

Annotation = Sequence[Sequence[int]]

BIAS = 0.01
"""Added to every parameter of the Dirichlet distribution, so that labels nobody named stay possible."""


def plausibilities(annotations: Sequence[Annotation], *, labels: int) -> Reals:
    """Inverse rank normalisation (IRN) of one query's annotations, [labels], sums to 1.

    An annotator gives each label of group g (from 0) the weight 1 / (1 + g); weights are summed and normalised.
    Raises ValueError where nothing is annotated, or an annotator names a label twice or one that does not exist.
    """
    weights = np.zeros(labels)
    for groups in annotations:
        named = [label for group in groups for label in group]
        if len(set(named)) != len(named) or not all(0 <= label < labels for label in named):
            message = f"{groups!r} is no partial ranking of {labels} labels"
            raise ValueError(message)
        for position, group in enumerate(groups):
            weights[list(group)] += 1.0 / (1 + position)
    if not weights.any():
        message = "a query that nobody annotated has no plausibilities"
        raise ValueError(message)
    normalised: Reals = weights / weights.sum()
    return normalised


def sample_plausibilities(irn: Reals, *, trust: float, draws: int = 1000, seed: int = 0, bias: float = BIAS) -> Reals:
    """Probabilistic IRN: samples of Dirichlet(trust * irn + bias), [n, k] -> [n, draws, k], each sums to 1.

    The higher the trust in the annotators, the closer the samples are to their plausibilities.
    """
    random = np.random.default_rng(seed)
    return np.stack([random.dirichlet(trust * row + bias, size=draws) for row in irn])


def sample_top(irn: Reals, *, trust: float, draws: int = 1000, seed: int = 0, bias: float = BIAS) -> IntArray:
    """The likeliest label of each sample, [n, draws]; the samples are those of `sample_plausibilities`."""
    random = np.random.default_rng(seed)
    return np.stack([random.dirichlet(trust * row + bias, size=draws).argmax(axis=1) for row in irn])


def certainties(top: IntArray, *, labels: int) -> Reals:
    """In what share of samples [n, draws] each label is the likeliest, [n, labels], rows sum to 1.

    A row's largest entry is its annotation certainty: how sure it is what the right label is.
    """
    shares: Reals = np.stack([np.bincount(row, minlength=labels) for row in top]) / top.shape[1]
    return shares


@dataclass(frozen=True, slots=True, eq=False)
class UncertainAccuracy:
    """Uncertainty-adjusted accuracy.

    terms: each query's probability to be right, [n]; their mean is the accuracy. spread: the standard deviation of the
    accuracy over samples of the truth: what the annotators leave open, which more queries like these would not settle.
    """

    terms: Reals
    spread: float

    @property
    def value(self) -> float:
        """The accuracy, 0 to 1."""
        return float(self.terms.mean())


def sampled_right(predicted: Flags, top: IntArray) -> Flags:
    """Whether each sampled likeliest label is among the predicted ones, [n, draws]; see `uncertain_accuracy`."""
    return np.take_along_axis(predicted, top, axis=1)


def uncertain_accuracy(predicted: Flags, top: IntArray) -> UncertainAccuracy:
    """How often the sampled likeliest label is among the predicted ones.

    predicted: sets of labels [n, k] (`classification.top_k_sets`, conformal sets). top: from `sample_top`.
    """
    right = sampled_right(predicted, top)
    return UncertainAccuracy(right.mean(axis=1), float(right.mean(axis=0).std()))
