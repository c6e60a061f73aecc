"""Telling what belongs from what does not: out-of-scope queries, and abstaining.

A strangeness is any score that is higher for queries that belong less (1 - the largest probability, a distance, an
entropy). Thresholds come from validation queries, never from those that are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from eval.metrics.arrays import Flags, Reals
from eval.metrics.figures import Figure, share_or_undefined

__all__ = ["Detection", "auroc", "detection", "threshold_keeping"]


def auroc(strangeness: Reals, out_of_scope: Flags) -> float:
    """The probability that a random out-of-scope query is stranger than a random in-scope one, equal counting half.

    Mann and Whitney's U over the number of pairs, from ranks; 0.5 is chance. NaN where either kind is missing.
    """
    positives = int(out_of_scope.sum())
    negatives = len(out_of_scope) - positives
    if positives == 0 or negatives == 0:
        return math.nan
    ranks = rankdata(strangeness)
    pairs_won = float(ranks[out_of_scope].sum()) - positives * (positives + 1) / 2
    return pairs_won / (positives * negatives)


def threshold_keeping(strangeness: Reals, *, kept: float = 0.95) -> float:
    """The lowest threshold that at least `kept` of in-scope validation queries [n] do not exceed."""
    if len(strangeness) == 0:
        message = "a threshold needs in-scope queries to keep"
        raise ValueError(message)
    # A product such as 0.07 * 100 = 7.000000000000001 must not ask for one query more.
    rank = max(1, math.ceil(kept * len(strangeness) - 1e-9))
    return float(np.sort(strangeness)[rank - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What was done with queries that should have been flagged (held back, sent to `general`) and those that not.

    precision: of the flagged, the share that should be. recall: of those that should be, the share that was. kept:
    of the others, the share that was let through. Each is undefined (NaN, n = 0) where it has no queries.
    """

    precision: Figure
    recall: Figure
    kept: Figure


def detection(flagged: Flags, should: Flags) -> Detection:
    """From whether each query was flagged (`strangeness > threshold`, or abstained on) and whether it should be."""
    hits = int((flagged & should).sum())
    return Detection(
        precision=share_or_undefined(hits, int(flagged.sum())),
        recall=share_or_undefined(hits, int(should.sum())),
        kept=share_or_undefined(int((~flagged & ~should).sum()), int((~should).sum())),
    )
