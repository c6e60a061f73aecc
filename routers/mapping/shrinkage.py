"""Means of small groups, kept from luck. Knows numbers alone: rows are queries, columns whatever is compared.

A group of five queries in which a weak expert was right five times says little. So the means of a group are drawn
towards the columns' means over all groups, the more so the less the group weighs and the less the groups were seen to
differ. And columns lean on each other: a group that is hard for most is hard for the rest, and where one expert of
mathematics shines the other does. This is the normal model of Efron and Morris 1972 (Empirical Bayes on vector
observations, Biometrika 59), for the columns' means y_g in group g:

    observed  y_g | theta_g ~ N(theta_g, V_g)     V_g: covariance of the means, from the queries within the group
    truth     theta_g       ~ N(mu, T)            mu, T: learned from all groups

With K_g = T (T + V_g)^-1 and A = sum_g (T + V_g)^-1 the truth, given what was observed, has

    mu          A^-1 sum_g (T + V_g)^-1 y_g
    mean        mu + K_g (y_g - mu)
    covariance  T - K_g T + (I - K_g) A^-1 (I - K_g)'

whose last term is the doubt about mu. T starts as the covariance of the y_g and takes `STEPS` steps of expectation
maximisation (Dempster, Laird and Rubin 1977); few, as with a dozen groups the likelihood alone would make it singular.
Groups of few queries have little say in it: what they differ by is mostly luck.
Differences of columns get their variance from the same covariance: on the same queries the common luck cancels.

Within a group of few queries the spread is luck too (three right of three have none): its covariance is drawn towards
that of all groups, which itself starts from one imagined query (as Smyth 2004, SAGMB 3(1), does with variances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Beliefs", "Ints", "Observed", "Reals", "believed", "observe"]

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

STEPS = 20
CELL_STRENGTH = 4
"""As how many queries a column the covariance of all groups counts in that of one."""
PRIOR_VARIANCE = 0.25
"""Of the imagined query: a score of 0 or 1 that is a coin."""
HALF_SAY = 50
"""A group of so many queries has half the say of one of very many in how much groups differ."""
UNSEEN = 1e3
"""Variance of a mean of no queries, beside scores from 0 to 1."""
START = 1e-4
"""Added to the variances that T starts from, so that groups without a difference start somewhere."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Observed:
    """mean: [g, k], NaN without a query. n: [g, k]. covariance: of the means, [g, k, k], `UNSEEN` without a query."""

    mean: Reals
    n: Ints
    covariance: Reals

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """The columns that have a query anywhere, [k]."""
        known: npt.NDArray[np.bool_] = self.n.sum(axis=0) > 0
        return known


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Beliefs:
    """What is to be expected: mean [g, k] and covariance [g, k, k]. Of a column without a query neither means much."""

    mean: Reals
    covariance: Reals

    @property
    def sd(self) -> Reals:
        """Of each mean, [g, k]."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 0.0))

    def gain(self, column: int) -> tuple[Reals, Reals]:
        """By how much each column is more than a given one: mean and standard deviation, [g, k]."""
        own = np.diagonal(self.covariance, axis1=1, axis2=2)
        variance = own + own[:, [column]] - 2.0 * self.covariance[:, :, column]
        return self.mean - self.mean[:, [column]], np.sqrt(np.maximum(variance, 0.0))


def observe(values: Reals, groups: Ints, *, count: int) -> Observed:
    """Of values [n, k], NaN where there is none, in the groups 0 to count - 1 that `groups` [n] names."""
    columns = values.shape[1]
    mean = np.full((count, columns), np.nan)
    products, pairs = np.zeros((count, columns, columns)), np.zeros((count, columns, columns))
    for group in range(count):
        here = values[groups == group]
        known = (~np.isnan(here)).astype(np.float64)
        n = known.sum(axis=0)
        mean[group, n > 0] = np.nansum(here, axis=0)[n > 0] / n[n > 0]
        centred = np.where(known > 0, here - mean[group], 0.0)
        products[group], pairs[group] = centred.T @ centred, known.T @ known
    n = np.diagonal(pairs, axis1=1, axis2=2)
    return Observed(mean=mean, n=n.astype(np.intp), covariance=_covariance_of_means(products, pairs))


def believed(observed: Observed) -> Beliefs:
    """What the observed means let one expect of each group; see the module."""
    seen = observed.n > 0
    average = np.where(seen, observed.mean, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    y, v = np.where(seen, observed.mean, average), observed.covariance
    columns = y.shape[1]
    say = _say(observed.n)
    around = y - say @ y
    spread = (around.T * say) @ around + START * np.eye(columns)
    for _ in range(STEPS):
        mean, within, centre = _posterior(y, v, spread)
        around = mean - centre.mu
        spread = np.einsum("g,gij->ij", say, within) + (around.T * say) @ around
    mean, within, centre = _posterior(y, v, spread)
    left = np.eye(columns) - centre.gain
    return Beliefs(mean=mean, covariance=within + left @ centre.of_mu @ np.swapaxes(left, 1, 2))


def _say(n: Ints) -> Reals:
    """What each group counts in how much groups differ, [g], summing to 1; equal where there is nothing at all."""
    queries = n.mean(axis=1) + 1e-12
    share = queries / (queries + HALF_SAY)
    say: Reals = share / share.sum()
    return say


@dataclass(frozen=True, slots=True, eq=False)
class _Centre:
    """mu [k], its covariance A^-1 [k, k], and K_g [g, k, k]."""

    mu: Reals
    of_mu: Reals
    gain: Reals


def _posterior(y: Reals, v: Reals, spread: Reals) -> tuple[Reals, Reals, _Centre]:
    """Mean [g, k] and covariance [g, k, k] given mu, and what is known of mu."""
    precision = np.linalg.inv(spread + v)
    of_mu = np.linalg.inv(precision.sum(axis=0))
    mu = of_mu @ np.einsum("gij,gj->i", precision, y)
    gain = spread @ precision
    return mu + np.einsum("gij,gj->gi", gain, y - mu), spread - gain @ spread, _Centre(mu, of_mu, gain)


def _covariance_of_means(products: Reals, pairs: Reals) -> Reals:
    """From sums of products around the means and the numbers of queries that two columns share, each [g, k, k].

    cov(y_a, y_b) = s_ab n_ab / (n_a n_b).
    """
    columns = products.shape[1]
    freedom = np.maximum(pairs - 1.0, 0.0)
    overall = (products.sum(axis=0) + PRIOR_VARIANCE * np.eye(columns)) / (freedom.sum(axis=0) + 1.0)
    strength = CELL_STRENGTH * columns
    within = _positive((products + strength * overall) / (freedom + strength))
    n = np.diagonal(pairs, axis1=1, axis2=2)
    share = pairs / np.maximum(n[:, :, None] * n[:, None, :], 1.0)
    covariance = within * share
    covariance += np.where(n > 0, 0.0, UNSEEN)[:, :, None] * np.eye(columns)
    return covariance


def _positive(matrices: Reals) -> Reals:
    """The nearest covariances [g, k, k]: with gaps in the queries the numbers above need not be some."""
    values, vectors = np.linalg.eigh(matrices)
    floor = 1e-9 * np.maximum(values[:, -1:], 1e-9)
    nearest: Reals = (vectors * np.maximum(values, floor)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return nearest
