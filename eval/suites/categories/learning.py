"""Which queries a router learns from before it judges others, and the learning. Knows no figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from eval.datasets.problems import Problems
from eval.suites.categories.queries import Query
from routers.embedding import Embedder
from routers.examples import Example, same_text
from routers.router import Router
from routers.train import LEAST_EXAMPLES, train

__all__ = ["CALIBRATION_FOLDS", "GENERAL", "Lesson", "learnable", "learned", "lesson_of"]

GENERAL = "general"
"""Where the gate of a router sends that is trained to be judged."""

CALIBRATION_FOLDS = 3
"""Folds within what is learned from, on whose held-out queries probabilities, sets and gate are set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What one router learns from. out_of_scope, ambiguous: how many queries were left out, and why.

    Ambiguous are queries whose text stands under several categories.
    """

    examples: tuple[Example, ...]
    out_of_scope: int
    ambiguous: int

    @property
    def categories(self) -> frozenset[str]:
        """Those that a router learns to tell apart."""
        return frozenset(example.category for example in self.examples)


def lesson_of(queries: Iterable[Query]) -> Lesson:
    """The examples that the queries are."""
    examples: list[Example] = []
    categories: defaultdict[str, set[str]] = defaultdict(set)
    strange = 0
    for query in queries:
        if query.category is None:
            strange += 1
        else:
            examples.append(Example(query.text, query.category, query.place))
            categories[same_text(query.text)].add(query.category)
    clear = tuple(example for example in examples if len(categories[same_text(example.query)]) == 1)
    return Lesson(examples=clear, out_of_scope=strange, ambiguous=len(examples) - len(clear))


def learnable(lessons: Sequence[Lesson], queries: Sequence[Query]) -> None:
    """Raise DataError with every category that some lesson has too few distinct queries of.

    queries: all that there are, learned from and judged; a category's first one is its place in the message.
    """
    first: dict[str, Query] = {}
    for query in queries:
        if query.category is not None:
            first.setdefault(query.category, query)
    problems = Problems()
    if len(first) == 1:
        ((name, query),) = first.items()
        problems.add(query.place, f"only category {name!r} is there; a router needs two")
    counted = [_distinct(lesson) for lesson in lessons]
    for name, query in sorted(first.items()):
        if (least := min(counts[name] for counts in counted)) < LEAST_EXAMPLES:
            where = "" if len(lessons) == 1 else f" in one of {len(lessons)} folds"
            said = f"category {name!r} has {least} distinct queries to learn from{where} and needs {LEAST_EXAMPLES}"
            problems.add(query.place, f"{said}; add queries, or leave the category out")
    problems.check()


def learned(lesson: Lesson, *, classifier: str, embedder: Embedder, seed: int) -> Router:
    """A router that knows the lesson alone."""
    # Matrices are small here: threads wait for each other more than they add, several times so on a busy machine,
    # and sums that are split differently end in other digits.
    with threadpool_limits(limits=1):
        return train(
            lesson.examples,
            general=GENERAL,
            embedder=embedder,
            classifier=classifier,
            folds=CALIBRATION_FOLDS,
            seed=seed,
        ).router


def _distinct(lesson: Lesson) -> Counter[str]:
    texts = {same_text(example.query): example.category for example in lesson.examples}
    return Counter(texts.values())
