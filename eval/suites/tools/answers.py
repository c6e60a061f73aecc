"""What the chooser does with every query: how it ranks the tools, and whether it holds that none fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np

from eval.metrics.arrays import IntArray, Reals
from eval.metrics.ranking import recall, reciprocal_rank
from eval.splits import folds_of
from eval.suites.tools.choices import Choice
from routers.embedding import Embedder
from routers.embedding.protocol import FloatArray
from routers.tools import Tool, ToolChooser, ToolExample

__all__ = ["FIRST", "Answers", "Progress", "answered", "rounds"]

FIRST = 5
"""How many tools of a ranking are kept, and how far `recall5` looks."""

AT_ONCE = 512
"""Queries whose scores are held at a time."""

Progress: TypeAlias = Callable[[str, int, int], None]
Round: TypeAlias = tuple[Sequence[Choice], IntArray]
"""What is learned from, and which queries are judged by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One value a query, [n]; NaN where it does not enter.

    recall1: whether the first tool is right. recall5: share of the right tools among the first five. abstained:
    whether no tool was held to fit. withheld: the same, with the right tools taken away. first: names of the first
    tools, best first; empty for a query that was not judged.
    """

    recall1: Reals
    recall5: Reals
    reciprocal_rank: Reals
    abstained: Reals
    withheld: Reals
    first: list[tuple[str, ...]]

    @classmethod
    def none(cls, n: int) -> Self:
        """No query of n was judged yet."""
        blank = np.full((5, n), np.nan)
        return cls(blank[0], blank[1], blank[2], blank[3], blank[4], [()] * n)

    @property
    def judged(self) -> IntArray:
        """The queries that were judged."""
        return np.flatnonzero(~np.isnan(self.abstained))


def rounds(
    queries: Sequence[Choice], learned: Sequence[Choice], *, folds: int | None, limit: int | None, seed: int
) -> list[Round]:
    """All queries judged by what is learned from `learned`, or fold by fold by the others.

    limit: judge only so many, drawn by the seed; learning loses none by it. Raises DataError: too few for the folds.
    """
    n = len(queries)
    chosen = np.random.default_rng(seed).permutation(n)[:limit] if limit is not None and limit < n else np.arange(n)
    if folds is None:
        return [(learned, np.sort(chosen))]
    splits = folds_of([choice.record for choice in queries], folds=folds, seed=seed)
    return [([queries[row] for row in split.learned], np.intersect1d(split.judged, chosen)) for split in splits]


def answered(
    tools: Sequence[Tool],
    queries: Sequence[Choice],
    todo: Sequence[Round],
    *,
    embedder: Embedder | None,
    progress: Progress,
) -> Answers:
    """What choosers say that learned what each round has to learn from."""
    answers = Answers.none(len(queries))
    total = sum(len(rows) for _, rows in todo)
    done = 0
    for number, (examples, rows) in enumerate(todo, start=1):
        chooser = ToolChooser(tools, embedder=embedder)
        chooser.learn([_example(choice) for choice in examples])
        progress("learning", number, len(todo))
        for some in _in_parts(rows):
            _answer(chooser, queries, some, answers)
            done += len(some)
            progress("judging", done, total)
    return answers


def _example(choice: Choice) -> ToolExample:
    return ToolExample(choice.record.query, tuple(choice.right.tolist()), tuple(choice.among.tolist()))


def _in_parts(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _answer(chooser: ToolChooser, queries: Sequence[Choice], rows: IntArray, answers: Answers) -> None:
    weighed = chooser.weigh([queries[row].record.query for row in rows])
    for row, score, likeness in zip(rows.tolist(), weighed.score, weighed.likeness, strict=True):
        choice = queries[row]
        ranked = _ranked(chooser, score, choice.among)
        answers.first[row] = tuple(ranked[:FIRST])
        answers.abstained[row] = not chooser.fits(likeness[choice.among])
        if not choice.answerable:
            continue
        relevance = dict.fromkeys(choice.names, 1.0)
        answers.recall1[row] = ranked[0] in relevance
        answers.recall5[row] = recall(ranked, relevance, k=FIRST)
        answers.reciprocal_rank[row] = reciprocal_rank(ranked, relevance)
        if len(others := np.setdiff1d(choice.among, choice.right)):
            answers.withheld[row] = not chooser.fits(likeness[others])


def _ranked(chooser: ToolChooser, score: FloatArray, among: IntArray) -> list[str]:
    """Names, best first; of several tools with one name, which are right together, the best stands for all."""
    best = among[np.argsort(-score[among], kind="stable")]
    return list(dict.fromkeys(chooser.tools[at].name for at in best.tolist()))
