"""Criterion weights that agree with gold: fitted to preferences, drawn towards equal ones. Knows leanings alone.

Bradley and Terry (1952) with several features: P(the better answer is preferred) = sigmoid(sharpness * w · d), d the
leanings by criterion. Weights are not negative: a criterion that speaks against gold gets 0 and is not turned around,
since it would then ask for the contrary of what people read in the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from eval.metrics.arrays import Reals
from eval.suites.judges.leanings import Leaning

__all__ = ["fitted_weights"]

SHARPNESS = 4.0
"""So that a lean of a quarter of the scale, by all criteria of weight 1, is preferred in 73 of 100 pairs."""
PULL = 1.0
"""Of each weight towards 1, in pairs: a few pairs move little."""
NOTHING = 1e-6


def fitted_weights(leanings: Sequence[Leaning], criteria: Sequence[str]) -> dict[str, float]:
    """Adding up to 1; all the same where there is nothing to learn from, or no criterion is for gold."""
    names = list(criteria)
    equal = dict.fromkeys(names, 1 / len(names))
    if not leanings:
        return equal
    leans = np.array([[leaning.criteria[name] for name in names] for leaning in leanings])
    found = minimize(
        _loss, np.ones(len(names)), args=(leans,), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names)
    ).x
    total = float(found.sum())
    return equal if total < NOTHING else dict(zip(names, (float(w) / total for w in found), strict=True))


def _loss(weights: Reals, leans: Reals) -> tuple[float, Reals]:
    """Negative log-likelihood of gold's preferences with the pull, and its gradient."""
    margin = SHARPNESS * leans @ weights / len(weights)
    loss = float(np.logaddexp(0.0, -margin).sum()) + PULL * float(((weights - 1) ** 2).sum()) / 2
    wrong = 1 / (1 + np.exp(np.clip(margin, -500, 500)))
    gradient = -SHARPNESS / len(weights) * (wrong @ leans) + PULL * (weights - 1)
    return loss, gradient
