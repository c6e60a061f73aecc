"""The shots of a new expert: read and checked, each query once, with all that is known of how others did on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from orchestrator.config import Config
from orchestrator.graded import unknown_names
from routers.errors import TrainingError
from routers.examples import same_text
from routers.mapping.graded import Grade, Graded, GradedSet, listed, read_graded
from routers.mapping.learned import LearnedMapping
from routers.mapping.newcomer import Shots
from routers.mapping.onboarding import LEAST_SHOTS
from routers.mapping.shrinkage import Reals
from routers.router import Router

__all__ = ["distinct_shots", "elsewhere", "grades_table", "read_shots", "shots_of"]


def read_shots(config: Config, expert: str, path: Path) -> GradedSet:
    """The graded outcomes of a file, each of which has one of the expert.

    Raises:
        TrainingError: too few or malformed lines, unknown experts or categories, lines without a grade of the expert.

    """
    read = read_graded(path)
    problems = [problem for line in read.lines for problem in unknown_names(config, line)]
    problems += [
        f"{line.source}: outcomes: no grade of {expert!r}; each shot is a query that it answered"
        for line in read.lines
        if expert not in line.outcomes
    ]
    if not problems and len(read.lines) < LEAST_SHOTS:
        problems.append(f"{path}: {len(read.lines)} shots of {expert!r}; at least {LEAST_SHOTS} are needed")
    if problems:
        raise TrainingError(listed(problems))
    return read


def distinct_shots(
    lines: Sequence[Graded], *, behind: Sequence[Graded], load_router: Callable[[], Router]
) -> list[Graded]:
    """One line a query, each with a category and all grades that are known of it; shots without a query stand alone.

    Of several grades of one expert it is the mean; the shots' own go before those of the same query that stand
    `behind` the mapping. The router is loaded only where neither says the category.
    """
    known: dict[str, list[Graded]] = {}
    for line in behind:
        if line.query is not None:
            known.setdefault(same_text(line.query), []).append(line)
    together: dict[str, list[Graded]] = {}
    for number, line in enumerate(lines):
        key = f"\n{number}" if line.query is None else same_text(line.query)  # no such text has a line end left
        together.setdefault(key, []).append(line)
    merged = [_merged(same, known.get(key, ())) for key, same in together.items()]
    lacking = [line.query or "" for line in merged if line.category is None]
    if not lacking:
        return merged
    routed = iter(load_router().classify(lacking))
    return [line if line.category is not None else replace(line, category=next(routed).category) for line in merged]


def elsewhere(shots: Sequence[Graded], graded: Sequence[Graded]) -> list[Graded]:
    """The graded queries that are none of the shots."""
    here = {same_text(line.query) for line in shots if line.query is not None}
    return [line for line in graded if line.query is None or same_text(line.query) not in here]


def shots_of(mapping: LearnedMapping, expert: str, lines: Sequence[Graded]) -> Shots:
    """As arrays; every line has a category of the mapping, and a grade of the expert."""
    position = {category: row for row, category in enumerate(mapping.categories)}
    own = [line.outcomes[expert] for line in lines]
    return Shots(
        group=np.array([position[str(line.category)] for line in lines], dtype=np.intp),
        scores=np.array([grade.score for grade in own], dtype=np.float64),
        others=grades_table(mapping.experts, lines),
        costs_usd=np.array([np.nan if grade.cost_usd is None else grade.cost_usd for grade in own], dtype=np.float64),
    )


def grades_table(experts: Sequence[str], lines: Sequence[Graded]) -> Reals:
    """Scores [n, e], NaN where not known."""
    rows = [[line.outcomes.get(expert) for expert in experts] for line in lines]
    scores = [[np.nan if grade is None else grade.score for grade in row] for row in rows]
    return np.array(scores, dtype=np.float64).reshape(len(lines), len(experts))


def _merged(shots: Sequence[Graded], behind: Sequence[Graded]) -> Graded:
    named = [line.category for line in (*shots, *behind) if line.category is not None]
    return replace(
        shots[0],
        category=named[0] if named else None,
        outcomes={name: _mean(grades) for name, grades in {**_grades(behind), **_grades(shots)}.items()},
    )


def _grades(lines: Sequence[Graded]) -> dict[str, list[Grade]]:
    grades: dict[str, list[Grade]] = {}
    for line in lines:
        for expert, grade in line.outcomes.items():
            grades.setdefault(expert, []).append(grade)
    return grades


def _mean(grades: Sequence[Grade]) -> Grade:
    costs = [grade.cost_usd for grade in grades if grade.cost_usd is not None]
    return Grade(sum(grade.score for grade in grades) / len(grades), sum(costs) / len(costs) if costs else None)
