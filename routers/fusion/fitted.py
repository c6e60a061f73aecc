"""Weights of votes fitted to tell right answers from wrong ones: experts that err together share their weight.

A conditional logit (McFadden 1974): of the different answers to a query the right one has the probability

    p(right) = exp S(right) / sum over answers exp S(answer),   S(answer) = sum of w[category, expert] who gave it

and the weights are the most likely ones under a ridge, w[c, e] = shared[e] + own[c, e], that keeps a category's own
part small. Only queries on which experts disagree and one is right say anything. Knows scores, no names.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from routers.fusion.votes import Ballots, Flags, Ints, Reals

__all__ = ["fitted_weights"]

RIDGE_SHARED = 0.1
RIDGE_OWN = 20.0
"""Half of this times the squared weight is added to the loss, which is summed over queries."""
MOST_STEPS = 200


def fitted_weights(ballots: Ballots, scores: Reals, group: Ints, *, count: int) -> Reals:
    """Weights [count + 1, k]; the last row is for any other category. Arguments as for `accuracies`, one a query."""
    k = ballots.codes.shape[1]
    same, right, first = _told(ballots, scores)
    telling = np.flatnonzero((right & first).any(axis=1) & (first & ~right).any(axis=1))
    right, first, group = right[telling], first[telling], group[telling]
    alike = same[telling].astype(np.float64)
    ridge = np.full((count + 1, k), RIDGE_OWN)
    ridge[count] = RIDGE_SHARED

    def loss(flat: Reals) -> tuple[float, Reals]:
        parts = flat.reshape(count + 1, k)
        z = np.einsum("nef,nf->ne", alike, (parts[:count] + parts[count])[group])
        among, hit = np.where(first, z, -np.inf), np.where(first & right, z, -np.inf)
        total, part = logsumexp(among, axis=1, keepdims=True), logsumexp(hit, axis=1, keepdims=True)
        slope = np.einsum("ne,nef->nf", np.exp(among - total) - np.exp(hit - part), alike)
        gradient = ridge * parts
        np.add.at(gradient, group, slope)
        gradient[count] += slope.sum(axis=0)
        return float((total - part).sum() + 0.5 * (ridge * parts**2).sum()), gradient.ravel()

    start = np.zeros((count + 1, k))
    start[count] = 1.0
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    weights: Reals = found.x.reshape(count + 1, k)
    weights[:count] += weights[count]
    return weights


def _told(ballots: Ballots, scores: Reals) -> tuple[Flags, Flags, Flags]:
    """Who agrees with whom [n, k, k], whose answer is right [n, k], and who gave an answer first [n, k]."""
    same = ballots.same
    right = _any(same & (scores >= 0.5)[:, None, :])  # noqa: PLR2004 - nearer to right than to wrong
    earlier = np.tril(np.ones(same.shape[1:], dtype=np.bool_), k=-1)
    first: Flags = ballots.answered & ~_any(same & earlier)
    return same, right, first


def _any(flags: Flags) -> Flags:
    found: Flags = np.logical_or.reduce(flags, axis=2)
    return found
