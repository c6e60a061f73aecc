"""A comparison without fresh queries: both recipes learn again, fold by fold, and are asked what they did not learn.

A side's recipe is its classifier, its settings, and what it was taught: its own labels of the texts at hand, known
again by their hashes. A query is judged only where every side that was taught it was taught the label that stands
there now: a candidate on corrupted labels is not judged by them. And a side is not judged by a recipe that lacks much
of what it was taught: that would not be the one that serves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from eval.datasets import DataError
from eval.metrics.arrays import Flags, IntArray
from eval.promotion.rows import Row, Said
from eval.promotion.sides import Side, lessons_of
from eval.splits import text_folds
from eval.suites.categories.learning import CALIBRATION_FOLDS
from orchestrator.config import Config
from orchestrator.graded import learned_from
from orchestrator.plans import Plans
from routers.classify.kinds import seen_by
from routers.embedding import Embedder
from routers.embedding.cached import CachedEmbedder
from routers.examples import Example, same_text
from routers.lessons import Lessons, line_key, text_key
from routers.mapping.graded import Graded, GradedSet
from routers.router import Router
from routers.train import LEAST_EXAMPLES, train

__all__ = ["CrossFitted", "crossfitted"]

MOST_LOST = 0.05
"""Beyond this share of what a side was taught that is not at hand, its recipe is not what serves."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class CrossFitted:
    """Rows and what the two say of each without having learned it. known: rows that the serving one was taught."""

    rows: list[Row]
    serving: Said
    candidate: Said
    known: Flags
    notes: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Recipe:
    """How a side learns, and from what of that at hand."""

    side: Side
    embedder: Embedder
    examples: list[Example]
    lines: list[Graded]
    config: Config

    def fitted(self, held: Callable[[str], bool], *, seed: int) -> tuple[Router, Plans]:
        """Without what is held out. held: of a text."""
        manifest = self.side.manifest
        with threadpool_limits(limits=1):  # as in `eval.suites.categories.learning`
            router = train(
                _enough([one for one in self.examples if not held(same_text(one.query))]),
                general=manifest.general,
                embedder=self.embedder,
                classifier=manifest.classifier.kind,
                parameters=manifest.classifier.parameters,
                alpha=manifest.report.alpha,
                false_reject=manifest.report.false_reject,
                folds=CALIBRATION_FOLDS,
                seed=seed,
            ).router
            lines = tuple(line for line in self.lines if not held(_fold_text(line)))
            if not lines:
                return router, Plans(self.config)
            mapped = learned_from(self.config, GradedSet(lines=lines, sha256=""), router, seed=seed)
        return router, Plans(self.config, mapped.learned)


def crossfitted(
    serving: Side,
    candidate: Side,
    *,
    examples: Sequence[Example],
    graded: GradedSet | None,
    folds: int,
    seed: int,
    progress: Progress,
) -> CrossFitted:
    """Every query at hand, judged by both sides' recipes, taught without its fold.

    examples: distinct, with the labels that hold now.

    Raises:
        DataError: too much of what a side was taught is not at hand, or nothing is left to judge by.
        TrainingError: too few examples for so many folds.
        InfeasibleBudget: a mapping of a fold cannot keep within the budget.
    """
    sides = (serving, candidate)
    lessons = [lessons_of(side, examples, graded) for side in sides]
    lines = list(graded.lines) if graded else []
    _check_lost(sides, lessons, examples, lines)
    agreed = [one for one in examples if _agreed(one, lessons)]
    judged = _undisputed(lines, lessons)
    if not agreed:
        raise DataError(["no example has the same label for both artifacts: nothing to judge by; give --replay FILE"])
    rows = [Row(query=one.query, category=one.category, outcomes={}) for one in agreed]
    rows += [Row(query=line.query, given=line.category, outcomes=line.outcomes, fused=line.fused) for line in judged]
    texts = [same_text(one.query) for one in agreed] + [_fold_text(line) for line in judged]
    recipes = [_recipe(side, taught, examples, lines) for side, taught in zip(sides, lessons, strict=True)]
    said = _asked(rows, texts, recipes, folds=folds, seed=seed, progress=progress)
    known = np.array([text_key(row.query or "") in lessons[0].examples for row in rows])
    notes = _notes(folds, len(examples) - len(agreed), len(lines) - len(judged))
    return CrossFitted(rows, said[0], said[1], known, notes)


def _asked(
    rows: Sequence[Row],
    texts: Sequence[str],
    recipes: Sequence[_Recipe],
    *,
    folds: int,
    seed: int,
    progress: Progress,
) -> list[Said]:
    said = [Said(len(rows), general=recipe.side.manifest.general) for recipe in recipes]
    fold_of = text_folds(texts, folds=folds, seed=seed)
    done, total = 0, folds * len(recipes)
    progress("comparing", done, total)
    for fold in range(folds):
        places: IntArray = np.flatnonzero(fold_of == fold)
        for recipe, answers in zip(recipes, said, strict=True):
            router, plans = recipe.fitted(_in_fold(fold, folds=folds, seed=seed), seed=seed)
            answers.ask(router, plans, rows, places)
            done += 1
            progress("comparing", done, total)
    return said


def _in_fold(fold: int, *, folds: int, seed: int) -> Callable[[str], bool]:
    return lambda text: int(text_folds([text], folds=folds, seed=seed)[0]) == fold


def _recipe(side: Side, taught: Lessons, examples: Sequence[Example], lines: Sequence[Graded]) -> _Recipe:
    """With the labels that the side was taught, whatever they are now."""
    own = [(one, taught.examples.get(text_key(one.query))) for one in examples]
    manifest = side.manifest
    embedder = seen_by(manifest.classifier.kind, side.embedder, manifest.classifier.parameters)
    return _Recipe(
        side=side,
        embedder=CachedEmbedder(embedder),
        examples=[replace(one, category=label) for one, label in own if label is not None],
        lines=[line for line in lines if line_key(line) in taught.graded],
        config=_with_budget(side),
    )


def _with_budget(side: Side) -> Config:
    """The configuration, with the budget and the drafts that the side's mapping kept within."""
    part = side.manifest.mapping
    if part is None:
        return side.config
    limits: Mapping[str, Any] = {
        "cost_per_query": part.budget.cost_per_query_usd,
        "active_params_b": part.budget.active_params_b,
    }
    update: dict[str, Any] = {"budget": side.config.budget.model_copy(update=limits)}
    if part.max_drafts is not None:
        update["fusion"] = side.config.fusion.model_copy(update={"max_drafts": part.max_drafts})
    return side.config.model_copy(update=update)


def _check_lost(
    sides: Sequence[Side], lessons: Sequence[Lessons], examples: Sequence[Example], lines: Sequence[Graded]
) -> None:
    texts, grades = {text_key(one.query) for one in examples}, {line_key(line) for line in lines}
    problems = []
    for side, taught in zip(sides, lessons, strict=True):
        for what, keys, here in (("queries", taught.examples, texts), ("graded queries", taught.graded, grades)):
            lost = sum(key not in here for key in keys)
            if lost > MOST_LOST * len(keys):
                problems.append(
                    f"the {side.name} artifact was trained on {len(keys)} {what}, of which {lost} are not at hand as "
                    "they were: learning again without them would not show what it can; give --replay FILE with "
                    "queries that neither was trained on"
                )
    if problems:
        raise DataError(problems)


def _agreed(example: Example, lessons: Sequence[Lessons]) -> bool:
    """Whether nobody was taught another label."""
    return all(taught.examples.get(text_key(example.query), example.category) == example.category for taught in lessons)


def _undisputed(lines: Sequence[Graded], lessons: Sequence[Lessons]) -> list[Graded]:
    """Those of whose query nobody was taught other grades."""
    taught = [(each.graded.keys(), set(each.graded.values())) for each in lessons]
    keys = [(line, line_key(line), None if line.query is None else text_key(line.query)) for line in lines]
    return [line for line, key, text in keys if all(key in whole or text not in texts for whole, texts in taught)]


def _enough(examples: Sequence[Example]) -> list[Example]:
    """Without categories of which the fold leaves too few to learn from: their queries count as missed."""
    counts = Counter(one.category for one in examples)
    return [one for one in examples if counts[one.category] >= LEAST_EXAMPLES]


def _fold_text(line: Graded) -> str:
    return line_key(line) if line.query is None else same_text(line.query)


def _notes(folds: int, labels: int, grades: int) -> list[str]:
    notes = [f"both recipes learned again on {folds} folds: figures are of queries that neither had learned"]
    if labels:
        notes.append(f"{labels} examples do not count: the two were taught different labels of them")
    if grades:
        notes.append(f"{grades} graded queries do not count: the two were taught different grades of them")
    return notes
