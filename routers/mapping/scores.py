"""What graded outcomes say of each expert in each category, and how surely. Knows no budget and no plan.

Both figures come from one model of all experts in all categories (`routers.mapping.shrinkage`):

- the *mean*: what score to expect of an expert in a category, with the interval that a person reads;
- the *gain*: by how much an expert beats the reference, the best single expert overall, on the same queries. Hard
  queries are hard for most experts, so this paired difference is far surer than that of two unpaired means.

What the mapping is chosen by is the *credit*: the reference's mean plus the lower bound of the gain,
gain - z sd. The reference's own gain is 0 without doubt, so a category leaves the best single expert only where
another one is credibly better. z is that of the one-sided `confidence`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from routers.mapping.outcomes import Outcomes
from routers.mapping.shrinkage import Ints, Reals, believed, observe

__all__ = [
    "CONFIDENCES",
    "SAME",
    "Comparison",
    "ScoreTable",
    "best_single",
    "category_costs",
    "chosen_confidence",
    "compare",
    "score_table",
]

CONFIDENCES = (0.95, 0.85, 0.7, 0.6, 0.5)
"""Of the gain's lower bound, strictest first; `chosen_confidence` takes the one that routes best."""
USUAL = 0.7
FOLDS, DEALS = 5, 3
BEST_Z = 1.645
"""Of the bound that the best single expert is found by: 95 %, one-sided."""
INTERVAL_Z = 1.96
"""Of the interval of a mean: 95 %, two-sided."""
SAME = 1e-9
"""Scores that are no further apart are equal: the cheaper expert is taken, then the one that stands first."""
TOGETHER = 32
"""So many columns at most lean on each other in the model; it takes time with the cube of their number."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScoreTable:
    """Each [c, k]: categories x columns (experts, then fuse plans).

    mean, low, high: expected score and its 95 % interval. n: graded
    queries. gain, gain_low: on the reference, at `confidence`. cost_usd: mean a query, None where costs are not known.
    shares: [c], the traffic. reference: the position of the best single expert.
    """

    categories: tuple[str, ...]
    columns: tuple[str, ...]
    shares: Reals
    mean: Reals
    low: Reals
    high: Reals
    n: Ints
    gain: Reals
    gain_low: Reals
    cost_usd: Reals | None
    reference: int
    confidence: float

    @property
    def credit(self) -> Reals:
        """What the mapping is chosen by, [c, k]; -inf where nothing is known of an expert."""
        return self.mean[:, [self.reference]] + self.gain_low


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """Columns against another score of the same queries, each [c, m].

    mean, sd: what to expect of a column. gain, gain_sd: how much more than of the other. sd are inf, means NaN where
    nothing is known of a column. n: queries. other_mean, other_sd: of what they are compared with, [c].
    """

    mean: Reals
    sd: Reals
    gain: Reals
    gain_sd: Reals
    n: Ints
    other_mean: Reals
    other_sd: Reals

    def gain_low(self, confidence: float) -> Reals:
        """The gain's one-sided lower bound, [c, m]; -inf where nothing is known."""
        known = np.isfinite(self.gain_sd)
        bound = self.gain - float(ndtri(confidence)) * np.where(known, self.gain_sd, 0.0)
        return np.where(known, bound, -np.inf)


def compare(scores: Reals, other: Reals, group: Ints, *, count: int) -> Comparison:
    """Scores [n, m] with another score [n] of the same queries, which are in the categories 0 to count - 1."""
    parts = [
        _compared(scores[:, start : start + TOGETHER], other, group, count)
        for start in range(0, max(scores.shape[1], 1), TOGETHER)
    ]
    mean, sd, gain, gain_sd, n = (np.concatenate([part[place][:, 1:] for part in parts], axis=1) for place in range(5))
    return Comparison(
        mean=mean,
        sd=sd,
        gain=gain,
        gain_sd=gain_sd,
        n=n.astype(np.intp),
        other_mean=parts[0][0][:, 0],
        other_sd=parts[0][1][:, 0],
    )


def _compared(scores: Reals, other: Reals, group: Ints, count: int) -> tuple[Reals, Reals, Reals, Reals, Reals]:
    """Mean, sd, gain, its sd and n of the other and of the columns after it, [c, 1 + m]."""
    observed = observe(np.column_stack([other, scores]), group, count=count)
    beliefs = believed(observed)
    gain, gain_sd = beliefs.gain(0)
    known = observed.known
    return (
        np.where(known, beliefs.mean, np.nan),
        np.where(known, beliefs.sd, np.inf),
        np.where(known, gain, np.nan),
        np.where(known, gain_sd, np.inf),
        observed.n.astype(np.float64),
    )


def score_table(outcomes: Outcomes, *, reference: int, confidence: float) -> ScoreTable:
    """The table of all columns against the reference."""
    count = len(outcomes.categories)
    others = np.delete(outcomes.scores, reference, axis=1)
    found = compare(others, outcomes.scores[:, reference], outcomes.group, count=count)

    def with_reference(values: Reals, own: Reals | float) -> Reals:
        return np.insert(values, reference, own, axis=1)

    mean, sd = with_reference(found.mean, found.other_mean), with_reference(found.sd, found.other_sd)
    asked = ~np.isnan(outcomes.scores[:, reference])
    return ScoreTable(
        categories=outcomes.categories,
        columns=outcomes.columns,
        shares=outcomes.shares,
        mean=mean,
        low=np.clip(mean - INTERVAL_Z * sd, 0.0, 1.0),
        high=np.clip(mean + INTERVAL_Z * sd, 0.0, 1.0),
        n=np.insert(found.n, reference, np.bincount(outcomes.group[asked], minlength=count), axis=1),
        gain=with_reference(found.gain, 0.0),
        gain_low=with_reference(found.gain_low(confidence), 0.0),
        cost_usd=category_costs(outcomes),
        reference=reference,
        confidence=confidence,
    )


def category_costs(outcomes: Outcomes) -> Reals | None:
    """Mean cost of a query, [c, k]; a column's overall mean in a category where it has none.

    Of a fuse plan without costs of its own it is the sum over its members.
    """
    if outcomes.costs_usd is None:
        return None
    count, known = len(outcomes.categories), ~np.isnan(outcomes.costs_usd)
    member = np.eye(count)[:, outcomes.group]
    total, n = member @ np.where(known, outcomes.costs_usd, 0.0), member @ known
    overall = total.sum(axis=0) / np.maximum(n.sum(axis=0), 1)
    cost = np.where(n > 0, total / np.maximum(n, 1), overall)
    summed = cost[:, : len(outcomes.experts)] @ outcomes.members.T
    return np.where(n.sum(axis=0) > 0, cost, summed)


def best_single(outcomes: Outcomes, *, allowed: npt.NDArray[np.bool_], prices: Reals | None) -> int:
    """The position of the allowed expert whose overall score has the best lower bound.

    Overall is over the traffic of all categories; where an expert was not graded, what its other scores and the other
    experts' lead one to expect. The bound keeps an expert of five lucky grades from being the best. Ties: the cheaper
    one by `prices` [c, k], then the one that stands first.
    """
    experts = len(outcomes.experts)
    parts = [_overall(outcomes, slice(start, min(start + TOGETHER, experts))) for start in range(0, experts, TOGETHER)]
    overall = np.where(allowed, np.concatenate(parts), -np.inf)
    tied = np.flatnonzero(overall >= overall.max() - SAME)
    costs = np.zeros(experts) if prices is None else outcomes.shares @ prices[:, :experts]
    return int(tied[np.argmin(costs[tied])])


def _overall(outcomes: Outcomes, columns: slice) -> Reals:
    """Of some columns, [m]: the lower bound of Agresti and Coull 1998 (The American Statistician 52); -inf ungraded."""
    observed = observe(outcomes.scores[:, columns], outcomes.group, count=len(outcomes.categories))
    mean = np.where(observed.n > 0, observed.mean, believed(observed).mean)
    n = observed.n.sum(axis=0)
    p = (n * np.clip(outcomes.shares @ mean, 0.0, 1.0) + 2.0) / (n + 4.0)
    return np.where(observed.known, p - BEST_Z * np.sqrt(p * (1.0 - p) / (n + 4.0)), -np.inf)


def chosen_confidence(outcomes: Outcomes, *, reference: int, seed: int = 0) -> float:
    """The confidence whose choices score best on queries that they were not made from; the strictest of equals.

    Fold by fold, `DEALS` times over, each category's expert is chosen by the other folds, for every one of
    `CONFIDENCES`. What counts is the gain on the reference, on queries where both were graded. With more experts than
    lean on each other, or too few queries to deal, it is `USUAL`.
    """
    other = outcomes.scores[:, reference]
    scores = np.delete(outcomes.scores[:, : len(outcomes.experts)], reference, axis=1)
    if scores.shape[1] > TOGETHER or len(other) < FOLDS:
        return USUAL
    random = np.random.default_rng(seed)
    won = np.zeros(len(CONFIDENCES))
    for _ in range(DEALS):
        fold = random.permutation(len(other)) % FOLDS
        for number in range(FOLDS):
            won += _won(scores, other, outcomes.group, fold == number, count=len(outcomes.categories))
    return CONFIDENCES[int(np.argmax(won >= won.max() - SAME))]


def _won(scores: Reals, other: Reals, group: Ints, judged: npt.NDArray[np.bool_], *, count: int) -> Reals:
    """What is gained on the judged queries, in sum, by the choices that the rest suggest; by each of `CONFIDENCES`."""
    learned = ~judged
    found = compare(scores[learned], other[learned], group[learned], count=count)
    # The first column is the reference itself, whose gain is nothing.
    gains = np.column_stack([np.zeros(judged.sum()), np.nan_to_num(scores[judged] - other[judged, None])])
    lows = [np.column_stack([np.zeros(count), found.gain_low(confidence)]) for confidence in CONFIDENCES]
    rows = np.arange(len(gains))
    return np.array([gains[rows, low.argmax(axis=1)[group[judged]]].sum() for low in lows])
