"""Which fuse plans do no harm, and in which categories: what they gain on the expert whom the same money would buy.

A fuse plan is compared, on the same queries, with the best expert of the category that costs no more than it does;
where costs are not known, with the expert that is chosen there. It may be chosen in a category only where the lower
bound of that gain is above zero, and, as the best plan within the budget, only where this holds against the expert that
the budget leads to as well. How surely depends on what all queries say of it:

- where the lower bound of its gain over all its queries, `FEWEST` or more, is above zero at the full confidence it is
  proven, and the bound in a category is held to `SURE_ENOUGH`: what helps everywhere needs less proof in each part;
- otherwise the bound in the category is held to the full confidence itself.

So of the categories in which nothing is to be gained 1 - .95 at most are fused where nothing is anywhere, and about
1 - .8 beside others in which much is: simulated one in a hundred, and a fifth of those with 30 queries, a twentieth of
those with 120.

A category in which it was never tried says nothing for it. That the luckiest of many candidates would be taken is what
drawing them towards their means is for (Gelman, Hill and Yajima 2012, J. Research on Educational Effectiveness 5):
there is no further correction. Knows arrays, no plans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from routers.mapping.outcomes import Outcomes
from routers.mapping.scores import SAME, Comparison, compare
from routers.mapping.shrinkage import Ints, Reals

__all__ = ["SURE_ENOUGH", "Trial", "tried"]

SURE_ENOUGH = 0.8
FEWEST = 20
"""Over fewer queries nothing is proven for all."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trial:
    """What became of the fuse plans [f] in the categories [c].

    over: the position of the expert that each is compared with, [c, f]. gain, low: on that expert, and its lower bound
    at the confidence that the plan is held to, [c, f]. credit: that of the expert plus the bound, -inf where it might
    do harm. best: whether it may be the best plan within the budget, [c, f]. n: queries, [f]. overall, overall_low:
    gain over all of them and its bound at the full confidence, [f]. held_to: the confidence of `low`, [f].
    """

    over: Ints
    gain: Reals
    low: Reals
    credit: Reals
    best: npt.NDArray[np.bool_]
    n: Ints
    overall: Reals
    overall_low: Reals
    held_to: Reals

    @property
    def proven(self) -> npt.NDArray[np.bool_]:
        """Whether each fuse plan gains over all queries, [f]."""
        proven: npt.NDArray[np.bool_] = self.overall_low > 0
        return proven


def tried(outcomes: Outcomes, singles: Reals, prices: Reals | None, *, chosen: Ints, confidence: float) -> Trial:
    """What is known of the fuse plans among the outcomes.

    singles: credit of the experts, [c, e]. prices: of all columns, [c, k]. chosen: the expert of each category, [c].
    """
    experts, count = len(outcomes.experts), len(outcomes.categories)
    fused = outcomes.scores[:, experts:]
    over = _bought(singles, prices, chosen, count=fused.shape[1])
    overall, overall_low, n = _overall(outcomes, over, confidence)
    held_to = np.where(overall_low > 0, min(SURE_ENOUGH, confidence), confidence)
    rows = np.arange(len(outcomes.group))
    by_budget = compare(fused, outcomes.scores[rows, chosen[outcomes.group]], outcomes.group, count=count)
    low_by_budget = _bound(by_budget, held_to)
    gain, low = by_budget.gain.copy(), low_by_budget.copy()
    for column in np.flatnonzero((over != chosen[:, None]).any(axis=0)):
        single = outcomes.scores[rows, over[outcomes.group, column]]
        found = compare(fused[:, [column]], single, outcomes.group, count=count)
        gain[:, [column]], low[:, [column]] = found.gain, _bound(found, held_to[[column]])
    return Trial(
        over=over,
        gain=gain,
        low=low,
        credit=np.where(low > 0, np.take_along_axis(singles, over, axis=1) + low, -np.inf),
        best=(low > 0) & (low_by_budget > 0),
        n=n,
        overall=overall,
        overall_low=overall_low,
        held_to=held_to,
    )


def _bought(singles: Reals, prices: Reals | None, chosen: Ints, *, count: int) -> Ints:
    """The best expert that costs no more than each fuse plan, [c, f]; the chosen one where none is known to.

    Of equals the chosen one.
    """
    experts = singles.shape[1]
    if prices is None:
        return np.repeat(chosen[:, None], count, axis=1)
    within = prices[:, None, :experts] <= prices[:, experts:, None] * (1.0 + SAME)
    credit = np.where(within, singles[:, None, :], -np.inf)
    ahead = credit.max(axis=2) > np.take_along_axis(singles, chosen[:, None], axis=1) + SAME
    affordable = np.take_along_axis(within, np.broadcast_to(chosen[:, None, None], (*within.shape[:2], 1)), axis=2)[
        ..., 0
    ]
    own = affordable & ~ahead
    found = (credit > -np.inf).any(axis=2)
    return np.where(own | ~found, chosen[:, None], credit.argmax(axis=2)).astype(np.intp)


def _overall(outcomes: Outcomes, over: Ints, confidence: float) -> tuple[Reals, Reals, Ints]:
    """Mean gain of each fuse plan on all queries that both answered, its lower bound, and their number, each [f]."""
    experts, rows = len(outcomes.experts), np.arange(len(outcomes.group))
    gains = outcomes.scores[:, experts:] - outcomes.scores[rows[:, None], over[outcomes.group]]
    known = ~np.isnan(gains)
    n = known.sum(axis=0)
    mean = np.where(known, gains, 0.0).sum(axis=0) / np.maximum(n, 1)
    spread = np.sqrt(np.where(known, (gains - mean) ** 2, 0.0).sum(axis=0) / np.maximum(n - 1, 1))
    low = mean - float(ndtri(confidence)) * spread / np.sqrt(np.maximum(n, 1))
    return np.where(n > 0, mean, np.nan), np.where(n >= FEWEST, low, -np.inf), n.astype(np.intp)


def _bound(found: Comparison, confidences: Reals) -> Reals:
    """Lower bounds, one confidence a column, [c, f]; -inf where the plan was never tried."""
    low = np.full(found.gain.shape, -np.inf)
    for at, confidence in enumerate(confidences.tolist()):
        low[:, at] = found.gain_low(confidence)[:, at]
    return np.where(found.n > 0, low, -np.inf)
