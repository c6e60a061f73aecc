"""Figures of fusion, and each query's own value where a figure is a mean over queries. Knows values, no drafts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np

from eval.findings import Figures
from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import Flags, Reals
from eval.metrics.means import mean_figure
from eval.suites.fusion.drafts import Drafted
from eval.suites.fusion.gathering import Gathered
from eval.suites.fusion.methods import BEST_SINGLE, CONSENSUS, METHODS, ORACLE, POLICY, RANDOM_FILTER, WEIGHTED

__all__ = ["Means", "Values", "figures_of", "flat_values", "values_of"]

Values: TypeAlias = Mapping[str, "Reals | Values"]
"""Of single queries, by the names of the figures."""

FUSED = tuple(name for name in METHODS if name not in {BEST_SINGLE, ORACLE})
FILTERED_AGAINST = (BEST_SINGLE, WEIGHTED, RANDOM_FILTER)
"""What dropping dissent is compared with: one expert, all drafts with the same verdict, and the placebo."""


AMOUNTS = frozenset({"gain", "fused_gain_in", "policy_gain_in", "filter_gain", "calls", "tokens"})
"""Figures that are no shares: that all queries have 1 is no hit of all, and its interval none of a share."""


class Means:
    """Means of one value a query with their intervals, all over the same resamples where all queries enter.

    NaN is the value of a query that does not enter.
    """

    def __init__(self, n: int, *, seed: int) -> None:
        self._whole = Resampling(n, seed=seed)
        self._seed = seed

    def share(self, values: Reals) -> Figure:
        """Of hits or scores; where all are 0 or all are 1 the interval is Wilson's."""
        if np.isnan(values).any() or (values == values[0]).all():
            return mean_figure(values, seed=self._seed)
        return self._whole.mean(values)

    def amount(self, values: Reals) -> Figure:
        """Of anything else."""
        entering = values[~np.isnan(values)]
        if not len(entering):
            return UNDEFINED
        whole = self._whole if len(entering) == len(values) else Resampling(len(entering), seed=self._seed)
        return whole.mean(entering)


def values_of(data: Drafted, found: Gathered) -> Values:
    """One value a query, [n], for each figure that is their mean; NaN where a query does not enter."""
    base = found.scores[BEST_SINGLE]
    gains = {name: found.scores[name] - base for name in METHODS if name != BEST_SINGLE}
    minority = (found.right >= 1) & (2 * found.right < found.drafts)
    silent = (~data.ballots.answered[found.rows]).astype(np.float64)
    filtered = {f"over_{name}": found.scores[CONSENSUS] - found.scores[name] for name in FILTERED_AGAINST}
    contested = {name: np.where(found.dissent, gain, np.nan) for name, gain in filtered.items()}
    return {
        **found.scores,
        "gain": gains,
        "helped": _flags(gains[POLICY] > 0),
        "harmed": _flags(gains[POLICY] < 0),
        "helped_by": {name: _flags(gains[name] > 0) for name in FUSED if name != POLICY},
        "harmed_by": {name: _flags(gains[name] < 0) for name in FUSED if name != POLICY},
        "fused_gain_in": _by_category(data, found, gains[WEIGHTED]),
        "policy_gain_in": _by_category(data, found, gains[POLICY]),
        "minority_recovered": {name: np.where(minority, found.scores[name], np.nan) for name in FUSED},
        "overruled": _overruled(data, found),
        "filter_gain": {**filtered, "contested": contested},
        "calls": {name: found.calls[name] for name in METHODS if name != ORACLE},
        "tokens": {name: found.tokens[name] for name in METHODS if name != ORACLE},
        "unanswered": silent.mean(axis=1),
        "unanswered_by": {expert: silent[:, at] for at, expert in enumerate(data.experts)},
        "experts": {expert: data.scores[found.rows, at] for at, expert in enumerate(data.experts)},
    }


def figures_of(values: Values, means: Means) -> Figures:
    """The mean of each, under the same names."""
    return {name: _figure(found, means.amount if name in AMOUNTS else means.share) for name, found in values.items()}


def _figure(values: Reals | Values, mean: Callable[[Reals], Figure]) -> Figure | Figures:
    if isinstance(values, Mapping):
        return {name: _figure(found, mean) for name, found in values.items()}
    return mean(values)


def flat_values(values: Values, prefix: str = "") -> Iterator[tuple[str, Reals]]:
    """Every row of values with its dotted name, in order."""
    for name, found in values.items():
        if isinstance(found, Mapping):
            yield from flat_values(found, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", found


def _by_category(data: Drafted, found: Gathered, gain: Reals) -> Values:
    """Of each category alone, the one that loses most first."""
    names = np.array([data.categories[row] for row in found.rows.tolist()])
    worst = sorted(set(names.tolist()), key=lambda name: (gain[names == name].mean(), name))
    return {name: np.where(names == name, gain, np.nan) for name in worst}


def _overruled(data: Drafted, found: Gathered) -> Values:
    """Where the vote of all drafts gives another answer than the expert that is best in the category: who is right."""
    codes, at = data.ballots.codes[found.rows], np.arange(len(found.rows))
    own, said = codes[at, found.specialist], codes[at, found.winner[WEIGHTED]]
    against = (own >= 0) & (said != own)
    scores = {"specialist": data.scores[found.rows, found.specialist], WEIGHTED: found.scores[WEIGHTED]}
    return {name: np.where(against, score, np.nan) for name, score in scores.items()}


def _flags(flags: Flags) -> Reals:
    return flags.astype(np.float64)
