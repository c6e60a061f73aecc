"""Judges a router that is there, or routers that are trained on a part of the data to judge the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eval.datasets import Dataset
from eval.findings import Findings
from eval.runs import describe, notes_of
from eval.splits import folds_of
from eval.suites.categories.answers import Progress, Round, Wordings, answered, familiarities, wordings_of
from eval.suites.categories.figures import Judged, figures_of, judged, per_query
from eval.suites.categories.learning import CALIBRATION_FOLDS, GENERAL, learnable, learned, lesson_of
from eval.suites.categories.notes import notes_of_judged, notes_of_lesson, notes_of_parts
from eval.suites.categories.parts import parts_of
from eval.suites.categories.queries import Query, queries_of, refuse_unknown
from eval.suites.categories.split import Parts
from routers.classify.kinds import seen_by
from routers.embedding import Embedder
from routers.embedding.cached import CachedEmbedder
from routers.router import Router

__all__ = ["PERTURB", "judge_folds", "judge_parts", "judge_router"]

PERTURB = 1000
"""How many queries are asked again in other words."""


def judge_router(
    datasets: Sequence[Dataset],
    router: Router,
    *,
    name: str | None = None,
    perturb: int = PERTURB,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Judge a router that is there, on data that it was not trained on. name: what identifies it, as its hash.

    Raises:
        DataError: queries without a category, or of one that the router does not have.
    """
    queries = queries_of(datasets)
    refuse_unknown(queries, router.categories, whose="the router has")
    answers = answered(
        queries,
        [(router, np.arange(len(queries)))],
        categories=router.categories,
        wordings=wordings_of(queries, perturb, seed=seed),
        progress=progress,
    )
    found = judged(queries, answers)
    notes = [*notes_of(datasets), *notes_of_judged(found, held=0)]
    return _findings(found, describe(datasets, seed=seed, router=name, perturb=perturb), notes, seed=seed)


def judge_folds(
    datasets: Sequence[Dataset],
    *,
    folds: int,
    embedder: Embedder,
    classifier: str = "linear",
    perturb: int = PERTURB,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Judge each fold of the data by a router that learned from the others.

    Raises:
        DataError: queries without a category, or too few of one or of all for so many folds.
    """
    queries = queries_of(datasets)
    splits = list(folds_of([one for dataset in datasets for one in dataset.records], folds=folds, seed=seed))
    lessons = [lesson_of(queries[row] for row in split.learned) for split in splits]
    learnable(lessons, queries)
    wordings = wordings_of(queries, perturb, seed=seed)
    cached = _holding(seen_by(classifier, embedder), queries, wordings)

    def rounds() -> Iterator[Round]:
        for number, (lesson, split) in enumerate(zip(lessons, splits, strict=True)):
            progress("learning", number, folds)
            yield learned(lesson, classifier=classifier, embedder=cached, seed=seed), split.judged
        progress("learning", folds, folds)

    every = lesson_of(queries)
    answers = answered(queries, rounds(), categories={GENERAL, *every.categories}, wordings=wordings, progress=progress)
    found = judged(queries, answers)
    settings = _settings(cached, classifier=classifier, perturb=perturb, folds=folds)
    notes = [*notes_of(datasets), *notes_of_lesson(every), *notes_of_judged(found, held=0)]
    return _findings(found, describe(datasets, seed=seed, **settings), notes, seed=seed)


def judge_parts(
    datasets: Sequence[Dataset],
    parts: Parts,
    *,
    embedder: Embedder,
    classifier: str = "linear",
    perturb: int = PERTURB,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Judge a part of the data by a router that learned from another one. datasets: all that the parts are from.

    Raises:
        DataError: too few queries of a category to learn from, or queries of a category that is not learned.
    """
    lesson = lesson_of(parts.learned)
    learnable([lesson], parts.learned)
    known = {GENERAL, *lesson.categories}
    refuse_unknown(parts.judged, known, whose="learned from are")
    wordings = wordings_of(parts.judged, perturb, seed=seed)
    cached = _holding(seen_by(classifier, embedder), [*parts.learned, *parts.validation, *parts.judged], wordings)
    progress("learning", 0, 1)
    router = learned(lesson, classifier=classifier, embedder=cached, seed=seed)
    progress("learning", 1, 1)
    rounds = [(router, np.arange(len(parts.judged)))]
    answers = answered(parts.judged, rounds, categories=known, wordings=wordings, progress=progress)
    held = familiarities(router, [query.text for query in parts.validation])
    found = judged(parts.judged, answers, validation=held if len(held) else None)
    settings = _settings(cached, classifier=classifier, perturb=perturb, learned=len(lesson.examples))
    notes = [*notes_of(datasets), *notes_of_lesson(lesson), *notes_of_parts(parts)]
    notes += notes_of_judged(found, held=len(held))
    return _findings(found, describe(datasets, seed=seed, **settings), notes, seed=seed)


def _findings(found: Judged, run: Mapping[str, Any], notes: Sequence[str], *, seed: int) -> Findings:
    figures = figures_of(found, seed=seed)
    return Findings(
        suite="categories",
        run=run,
        figures=figures,
        parts=parts_of(found, figures),
        queries=per_query(found),
        notes=tuple(notes),
    )


def _settings(embedder: Embedder, **others: object) -> dict[str, object]:
    return {"embedder": embedder.fingerprint, "calibration_folds": CALIBRATION_FOLDS, **others}


def _holding(embedder: Embedder, queries: Sequence[Query], wordings: Wordings) -> Embedder:
    """The embedder with every text of the run embedded, in one go that can be watched."""
    cached = CachedEmbedder(embedder)
    cached.embed([query.text for query in queries] + [text for said in wordings.values() for text in said.values()])
    return cached
