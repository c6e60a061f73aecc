"""What routers say of queries, as arrays: asked in batches, and once more in other words. Knows no figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Probabilities, Reals
from eval.perturb import KINDS, Kind, perturbed
from eval.suites.categories.queries import Query, drawn
from routers.classify.protocol import Tiered
from routers.router import Router, Routing

__all__ = ["Answers", "Progress", "Round", "Wordings", "answered", "familiarities", "wordings_of"]

BATCH = 64

Progress: TypeAlias = Callable[[str, int, int], None]

Round: TypeAlias = tuple[Router, IntArray]
"""A router, and the positions of the queries that it judges."""

Wordings: TypeAlias = Mapping[Kind, Mapping[int, str]]
"""By kind of change and by position of the query, its text in other words."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of each query, in the order of the queries [n]. categories: the columns [k], sorted.

    posterior: [n, k], 0 for a category that the router gives no probability. sets: [n, k], members of the category
    sets. sent: column it is sent to. top: likeliest column. gated: whether the gate fired. familiarity: what the gate
    looked at, higher is less strange. judge: number of the router. fast: whether the fast tier of
    the classifier answered, NaN where it has none. flipped: by kind, whether the likeliest category
    was another for other words, NaN where not asked.
    """

    categories: tuple[str, ...]
    posterior: Probabilities
    sets: Flags
    sent: IntArray
    top: IntArray
    gated: Flags
    familiarity: Reals
    judge: IntArray
    fast: Reals
    flipped: Mapping[Kind, Reals]

    @cached_property
    def confidence(self) -> Reals:
        """The probability of the likeliest category."""
        largest: Reals = self.posterior.max(axis=1)
        return largest


def wordings_of(queries: Sequence[Query], n: int, *, seed: int) -> Wordings:
    """Every kind of change of `n` queries in scope, drawn by the seed; one that finds no place is left out."""
    rows = drawn(queries, n, seed=seed)
    return {
        kind: {row: said for row in rows if (said := perturbed(queries[row].text, kind, seed=seed)) is not None}
        for kind in (KINDS if rows else ())
    }


def answered(
    queries: Sequence[Query],
    rounds: Iterable[Round],
    *,
    categories: Collection[str],
    wordings: Wordings,
    progress: Progress,
) -> Answers:
    """Have every query judged once. categories: of all routers. The rounds are taken one by one, so may be made so."""
    asking = _Asking(queries, categories, wordings, progress)
    for number, (router, rows) in enumerate(rounds):
        asking.ask(number, router, rows)
    return asking.answers


def familiarities(router: Router, texts: Sequence[str]) -> Reals:
    """How familiar each text is to the router's gate, [n]."""
    return np.array([routing.gate.value for routing in _routings(router, texts)], dtype=np.float64)


class _Asking:
    def __init__(
        self, queries: Sequence[Query], categories: Collection[str], wordings: Wordings, progress: Progress
    ) -> None:
        self._texts = [query.text for query in queries]
        self._column = {name: column for column, name in enumerate(sorted(categories))}
        self._wordings = wordings
        self._progress = progress
        self._done = 0
        self._total = len(queries) + sum(len(texts) for texts in wordings.values())
        n, k = len(queries), len(self._column)
        self.answers = Answers(
            categories=tuple(self._column),
            posterior=np.zeros((n, k)),
            sets=np.zeros((n, k), dtype=np.bool_),
            sent=np.full(n, -1, dtype=np.intp),
            top=np.full(n, -1, dtype=np.intp),
            gated=np.zeros(n, dtype=np.bool_),
            familiarity=np.zeros(n),
            judge=np.full(n, -1, dtype=np.intp),
            fast=np.full(n, np.nan),
            flipped={kind: np.full(n, np.nan) for kind in wordings},
        )

    def ask(self, number: int, router: Router, rows: IntArray) -> None:
        """Fill in what the router says of these rows, as they are and in other words."""
        texts = [self._texts[row] for row in rows]
        for row, routing in zip(rows.tolist(), _routings(router, texts, self._tell), strict=True):
            self.answers.judge[row] = number
            self._note(row, routing)
        if isinstance(router.classifier, Tiered):
            self.answers.fast[rows] = router.classifier.answered_fast(texts)
        for kind, said in self._wordings.items():
            changed = [row for row in rows.tolist() if row in said]
            routings = _routings(router, [said[row] for row in changed], self._tell)
            for row, routing in zip(changed, routings, strict=True):
                self.answers.flipped[kind][row] = self._column[routing.top] != self.answers.top[row]

    def _note(self, row: int, routing: Routing) -> None:
        answers = self.answers
        columns = [self._column[name] for name, _ in routing.posterior]
        answers.posterior[row, columns] = [probability for _, probability in routing.posterior]
        answers.sets[row, [self._column[name] for name in routing.category_set]] = True
        answers.sent[row] = self._column[routing.category]
        answers.top[row] = self._column[routing.top]
        answers.gated[row] = routing.gate.fired is not None
        answers.familiarity[row] = routing.gate.value

    def _tell(self, asked: int) -> None:
        self._done += asked
        self._progress("classifying", self._done, self._total)


def _routings(router: Router, texts: Sequence[str], tell: Callable[[int], None] | None = None) -> Iterable[Routing]:
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        yield from router.classify(batch)
        if tell is not None:
            tell(len(batch))
