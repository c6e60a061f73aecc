"""What to expect of an expert of whom a few graded queries ("shots") are known. Knows numbers alone.

Five right of five say little, but two things are known besides. How experts differ: most are much like their pool
throughout, some are better or worse by the same amount everywhere, few by a category. And how hard each shot was, if
the others were graded on it: to solve what nobody solves says more than to solve what everybody does (a control
variate). With m_c the pool's mean in category c, x_q the others' scores of query q and d_q = x_q - m_c:

    score_q - m_c = slope mean(d_q) + u + v_c + w . d_q + noise
    u ~ N(0, level), v_c ~ N(0, category), w ~ N(0, like)

so that the shots also tell whom the newcomer is like (w). It is a Gaussian process, solved in closed form (Rasmussen
and Williams 2006, Gaussian Processes for Machine Learning, equations 2.23 and 2.24). level and category come from how
the experts of the pool differ among each other, with a say of `PRIOR_EXPERTS` imagined ones: pools are small. Nothing
of the pool is estimated anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from routers.mapping.shrinkage import Ints, Reals

__all__ = ["Estimate", "Shots", "category_prices", "estimate"]

SLOPE = 0.8
"""How far a query's ease for the pool is its ease for a newcomer."""
LIKENESS = 0.1
"""Standard deviation of the weight by which a newcomer is like one expert more than like the pool."""
LEVEL, SPECIALITY = 0.2, 0.05
"""By how much imagined experts differ from their pool: throughout, and in a category; standard deviations."""
PRIOR_EXPERTS = 2
EXPLAINED = 0.25
"""Part of the variance of a score that the others' scores of the same query explain."""
LEAST_NOISE = 0.02
"""Variance of a score within a category where the pool is always right, or always wrong."""
PRICE_STRENGTH = 4
"""As how many shots what the newcomer costs elsewhere counts in a category."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shots:
    """Graded queries of the newcomer, in any order.

    group: the category of each, its position [k]. scores: 0 to 1, [k]. others: of the pool's experts on the same
    queries, [k, e], NaN where not known. costs_usd: [k], NaN where not known.
    """

    group: Ints
    scores: Reals
    others: Reals
    costs_usd: Reals

    def ordered(self) -> Shots:
        """The same in the one order that does not depend on how they came: sums of floats end in other digits."""
        keys = np.column_stack([self.costs_usd, self.others, self.scores, self.group])
        order = np.lexsort(np.nan_to_num(keys, nan=-1.0).T)
        return Shots(
            group=self.group[order],
            scores=self.scores[order],
            others=self.others[order],
            costs_usd=self.costs_usd[order],
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Estimate:
    """Of the newcomer's score by category: mean [c] and covariance [c, c]. n: shots in each category [c]."""

    mean: Reals
    covariance: Reals
    n: Ints

    @property
    def sd(self) -> Reals:
        """Of each mean, [c]."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))


def estimate(shots: Shots, means: Reals, *, shares: Reals) -> Estimate:
    """What the shots tell, beside what is expected of each expert of the pool in each category (means [c, e])."""
    shots = shots.ordered()
    pool = means.mean(axis=1)
    apart = means - pool[:, None]
    known = ~np.isnan(shots.others)
    seen = np.where(known, shots.others - pool[shots.group, None], apart[shots.group])
    level, category = _variances(apart, shares)
    noise = np.maximum(shares @ (means * (1.0 - means)).mean(axis=1), LEAST_NOISE)
    noises = noise * (1.0 - EXPLAINED * known.mean(axis=1))
    same = (np.arange(len(pool))[:, None] == shots.group[None, :]).astype(np.float64)
    like = LIKENESS**2
    at_shots = level + category * (same.T @ same) + like * (seen @ seen.T) + np.diag(noises)
    across = level + category * same + like * (apart @ seen.T)
    within = level + category * np.eye(len(pool)) + like * (apart @ apart.T)
    surprise = shots.scores - pool[shots.group] - SLOPE * seen.mean(axis=1)
    solved = np.linalg.solve(at_shots, np.column_stack([surprise, across.T]))
    covariance = within - across @ solved[:, 1:]
    return Estimate(
        mean=np.clip(pool + across @ solved[:, 0], 0.0, 1.0),
        covariance=(covariance + covariance.T) / 2.0,
        n=np.bincount(shots.group, minlength=len(pool)).astype(np.intp),
    )


def _variances(apart: Reals, shares: Reals) -> tuple[float, float]:
    """By how much experts differ from their pool, throughout and by category, from deviations [c, e]."""
    throughout = shares @ apart
    special = shares @ (apart - throughout) ** 2
    freedom = apart.shape[1] - 1 + PRIOR_EXPERTS
    level = (throughout @ throughout + PRIOR_EXPERTS * LEVEL**2) / freedom
    return float(level), float((special.sum() + PRIOR_EXPERTS * SPECIALITY**2) / freedom)


def category_prices(shots: Shots, pool: Reals) -> Reals | None:
    """What a query of each category costs with the newcomer, [c]; None where no shot says.

    pool: what it costs with the others on average, [c]: what makes a category dear for them does so for the newcomer.
    """
    shots = shots.ordered()
    known = ~np.isnan(shots.costs_usd)
    if not known.any():
        return None
    costs, group = shots.costs_usd[known], shots.group[known]
    expected = pool[group].sum()
    elsewhere = pool * (costs.sum() / expected) if expected > 0 else np.full(len(pool), costs.mean())
    total = np.bincount(group, weights=costs, minlength=len(pool))
    n = np.bincount(group, minlength=len(pool))
    prices: Reals = (total + PRICE_STRENGTH * elsewhere) / (n + PRICE_STRENGTH)
    return prices
