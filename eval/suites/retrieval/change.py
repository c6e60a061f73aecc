"""What one retriever does for the others' queries: the router learned with it and without it, nothing else anew.

Who gains and who loses by an expert that comes or goes; the paper's table 3 shows that either happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from eval.datasets import DataError
from eval.metrics import Figure, Resampling
from eval.suites.retrieval.collection import MEAN
from eval.suites.retrieval.routing import ROUTER

if TYPE_CHECKING:
    from eval.suites.retrieval.judging import Judged, Judging

__all__ = ["Impact", "changed"]


@dataclass(frozen=True, slots=True)
class Impact:
    """`gain_by` by retriever and collection: nDCG@10 of the router with it less that without it, paired."""

    gain_by: dict[str, dict[str, Figure]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def changed(judged: Judged, judging: Judging, *, without: Sequence[str]) -> Impact:
    """Route once more without each of the retrievers.

    Raises:
        DataError: one that is not there, or the only one.
    """
    if not without:
        return Impact()
    known = {expert for arm in judged.routed.arms for expert in arm}
    problems = [
        f"no retriever {name!r} to add or remove; known: {', '.join(sorted(known))}"
        for name in without
        if name not in known
    ]
    if len(known) == 1:
        problems.append("there is one retriever, so none can be added or removed")
    if problems:
        raise DataError(problems)
    figures = {name: _gain(judged, judging, name) for name in without}
    return Impact(figures, tuple(_told(name, gains) for name, gains in figures.items()))


def _gain(judged: Judged, judging: Judging, name: str) -> dict[str, Figure]:
    arms = [arm for arm in judged.routed.arms if name not in arm]
    columns = [judged.routed.arms.index(arm) for arm in arms]
    other = judging.routed(judged.search, arms, [scores[:, columns] for scores in judged.scores])
    difference = judged.values[ROUTER] - other.values[ROUTER]
    sizes = np.bincount(judging.groups)
    gains = {
        collection: Resampling(int(sizes[group]), seed=judging.seed).mean(difference[judging.groups == group])
        for group, collection in enumerate(judging.names)
    }
    shares = judging.n / (len(sizes) * sizes[judging.groups])
    gains[MEAN] = Resampling(judging.n, seed=judging.seed, strata=judging.groups).mean(difference * shares)
    return gains


def _told(name: str, gains: Mapping[str, Figure]) -> str:
    """Who gains, who loses, and who shows nothing either way."""
    sides: dict[str, list[str]] = {"gain": [], "lose": [], "not distinguishable": []}
    for collection, figure in gains.items():
        low, high = figure.ci95 or (-np.inf, np.inf)
        side = "gain" if low > 0 else "lose" if high < 0 else "not distinguishable"
        sides[side].append(f"{collection} {figure.value:+.3f}")
    return f"with {name}: " + "; ".join(f"{side}: {', '.join(those)}" for side, those in sides.items() if those)
