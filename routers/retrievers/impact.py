"""What a router of retrievers reaches on held-out queries, and who gains and loses by a change. Knows tables alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from routers.calibrate import IntArray, Probabilities
from routers.retrievers.router import ArmRouter, ArmRule, ArmTable, RuleChoice, learned_router

__all__ = ["Change", "HeldOut", "changes", "held_out"]

Verdict: TypeAlias = Literal["gains", "loses", "same"]

ALL = "mean"
"""Of all sources, each counting alike."""

DRAWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """NDCG@10 of each query of a table, sent by a router that has not seen it; [n] each.

    best_single: of the retriever that was best on the others. oracle: of the best arm of each query.
    """

    router: Probabilities
    best_single: Probabilities
    oracle: Probabilities
    sources: tuple[str, ...]

    def means(self) -> dict[str, float]:
        """The mean over sources of each, by name."""
        return {name: _mean(getattr(self, name), self.sources) for name in ("router", "best_single", "oracle")}


@dataclass(frozen=True, slots=True)
class Change:
    """How nDCG@10 of the router changed on the queries of one source, with the bootstrap's 95 % interval, paired."""

    source: str
    n: int
    before: float
    after: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Whether the interval leaves 0 out."""
        return "gains" if self.low > 0 else "loses" if self.high < 0 else "same"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        gain = {"gain": self.after - self.before, "ci95": [self.low, self.high], "verdict": self.verdict}
        return {"source": self.source, "n": self.n, "before": self.before, "after": self.after, **gain}


def held_out(table: ArmTable, fold: IntArray, *, rule: RuleChoice | ArmRule, seed: int = 0) -> HeldOut:
    """Each fold once by a router learned from the others; fold: of each query, [n].

    With one fold alone nothing is held out, and the router is judged by what it learned from.
    """
    numbers = sorted(set(fold.tolist()))
    router, single = np.zeros(len(fold)), np.zeros(len(fold))
    alone = tuple(arm for arm in table.arms if len(arm) == 1) or table.arms
    for number in numbers:
        judged = np.flatnonzero(fold == number)
        learned = np.flatnonzero(fold != number) if len(numbers) > 1 else judged
        known = table.at(learned)
        found: ArmRouter = learned_router(known, rule=rule, seed=seed)
        router[judged] = table.scores[judged, found.columns(table.vectors[judged])]
        single[judged] = table.scores[judged, table.arms.index(known.of(alone).best_single())]
    return HeldOut(router, single, table.scores.max(axis=1), table.sources)


def changes(before: HeldOut, after: HeldOut, *, seed: int = 0) -> list[Change]:
    """By source, and of all; queries are drawn within their sources."""
    of = np.asarray(before.sources)
    names = sorted(set(before.sources))
    random = np.random.default_rng(seed)
    drawn: dict[str, Probabilities] = {}
    found = []
    for name in names:
        difference = (after.router - before.router)[of == name]
        drawn[name] = difference[random.integers(len(difference), size=(DRAWS, len(difference)))].mean(axis=1)
        means = float(before.router[of == name].mean()), float(after.router[of == name].mean())
        found.append(_change(name, int((of == name).sum()), means, drawn[name]))
    means = _mean(before.router, before.sources), _mean(after.router, after.sources)
    return [*found, _change(ALL, len(of), means, np.mean([drawn[name] for name in names], axis=0))]


def _change(name: str, n: int, means: tuple[float, float], drawn: Probabilities) -> Change:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Change(name, n, *means, float(low), float(high))


def _mean(values: Probabilities, sources: tuple[str, ...]) -> float:
    of = np.asarray(sources)
    return float(np.mean([values[of == name].mean() for name in sorted(set(sources))]))
