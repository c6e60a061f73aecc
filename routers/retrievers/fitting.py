"""A query-side adapter from judged queries: how long to train is chosen on folds, and none is kept that does not help.

Knows vectors and grades, no texts and no files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from routers.calibrate import IntArray, Probabilities
from routers.embedding.protocol import FloatArray
from routers.retrievers.adapter import Judged, QueryAdapter, Recipe, learned_adapters

__all__ = ["STEPS", "Fitted", "Gain", "fitted_adapter"]

STEPS = (0, 10, 20, 40, 80)
"""Of training, to choose from; 0 keeps the vectors as they are."""

Gain: TypeAlias = Callable[[FloatArray, IntArray], Probabilities]
"""nDCG@10 of searching with these vectors, [n, dim], for the queries in these rows of the judged ones: [n]."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fitted:
    """An adapter of all judged queries, and what it and the plain vectors reach on held-out folds.

    steps: of training; 0 where no number of steps did better than none. held_out: the queries' vectors, each by the
    adapter that has not seen it. plain, adapted: nDCG@10 of each query, held out.
    """

    adapter: QueryAdapter
    steps: int
    held_out: FloatArray
    plain: Probabilities
    adapted: Probabilities

    @property
    def kept(self) -> bool:
        """Whether it changes anything."""
        return self.steps > 0


def fitted_adapter(
    judged: Judged,
    documents: FloatArray,
    *,
    gain: Gain,
    fold: IntArray,
    seed: int,
    recipe: Recipe | None = None,
    steps: Sequence[int] = STEPS,
) -> Fitted:
    """Train on all, as long as does best where each fold is held out once.

    fold: of each query, [n]. Where there is but one fold nothing can be held out, so nothing is changed.
    Of equally good numbers of steps the smallest is taken.
    """
    numbers = sorted(set(fold.tolist()))
    stops = sorted({0, *steps})
    moved = {stop: judged.queries.copy() for stop in stops}
    values = {stop: np.zeros(len(fold)) for stop in stops}
    for number in numbers:
        learned, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        found = {}
        if len(learned):
            found = learned_adapters(judged.at(learned.tolist()), documents, steps=stops, seed=seed, recipe=recipe)
        for stop in stops:
            if stop and stop in found:
                moved[stop][held] = found[stop].applied(judged.queries[held])
            values[stop][held] = gain(moved[stop][held], held)
    best = max(stops, key=lambda stop: (round(float(values[stop].mean()), 9), -stop))
    whole = (
        learned_adapters(judged, documents, steps=[best], seed=seed, recipe=recipe)[best]
        if best
        else QueryAdapter.identity(judged.queries.shape[1])
    )
    return Fitted(adapter=whole, steps=best, held_out=moved[best], plain=values[0], adapted=values[best])
