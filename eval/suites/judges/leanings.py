"""Which way judges lean between two answers, the better one by gold less the worse one. Knows no judge's wording.

Scores and preferences come to the same here: by criterion a number from -1 to 1, above 0 where the judges agree with
gold. Of two answers only those judges count that judged both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import Reals
from eval.suites.judges.asking import Heard, Place
from orchestrator.judging import Judged

__all__ = ["Leaning", "agrees", "leanings_of"]

SAME = 1e-9
"""Leanings this small are none."""

ByCriterion = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaning:
    """One pair of answers. row: of its case. pair: better and worse answer.

    judges: by judge and criterion. one_score: the mean of the judges' single scores; None where there is none.
    """

    row: int
    panel: str
    pair: tuple[int, int]
    judges: Mapping[str, ByCriterion]
    one_score: float | None

    @property
    def criteria(self) -> dict[str, float]:
        """The mean of the judges by criterion."""
        names = next(iter(self.judges.values()))
        return {name: sum(said[name] for said in self.judges.values()) / len(self.judges) for name in names}


def leanings_of(heard: Sequence[Heard]) -> list[Leaning]:
    """Of every pair that at least one judge of its panel judged."""
    found = []
    for row, one in enumerate(heard):
        for pair in one.case.pairs:
            if judges := _between(one.panel, pair):
                single = _between(one.one_score, pair)
                overall = [value for said in single.values() for value in said.values()]
                found.append(
                    Leaning(
                        row=row,
                        panel=one.case.panel,
                        pair=pair,
                        judges=judges,
                        one_score=sum(overall) / len(overall) if overall else None,
                    )
                )
    return found


def agrees(leanings: Sequence[float]) -> Reals:
    """Whether each agrees with gold: 1, .5 where it leans to neither, 0 against it."""
    values = np.asarray(leanings, dtype=np.float64)
    return np.where(np.abs(values) <= SAME, 0.5, (values > 0).astype(np.float64))


def _between(said: Mapping[Place, Judged | None], pair: tuple[int, int]) -> dict[str, dict[str, float]]:
    """By judge and criterion; empty where nobody judged both answers."""
    if pair in said:
        together = said[pair]
        if together is None:
            return {}
        return {judge: {c: 2 * value - 1 for c, value in by.items()} for judge, by in together.judges.items()}
    better, worse = (said.get((at,)) for at in pair)
    if better is None or worse is None:
        return {}
    return {
        judge: {c: by[c] - worse.judges[judge][c] for c in by}
        for judge, by in better.judges.items()
        if judge in worse.judges
    }
