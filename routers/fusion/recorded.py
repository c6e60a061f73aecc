"""Graded outcomes with recorded answers -> candidates of fuse plans, as the mapping wants them.

Votes are replayed: experts whose answers stand in the same lines are a panel, and a panel's votes are learned and
scored by `routers.fusion.learn`, by what `short_answer` makes of the answers, as in the service. A verdict that is
written cannot be replayed: its plan is a candidate where whole fuse plans were graded. Knows no budget.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routers.examples import same_text
from routers.fusion.extraction import short_answer
from routers.fusion.learn import FEWEST, Lesson, fuse_columns
from routers.fusion.reliability import effective_options
from routers.fusion.votes import Ints, ballots_of, speakers
from routers.mapping.graded import FusedGrade, Grade, Graded
from routers.mapping.outcomes import FuseColumn
from routers.mapping.plan import Plan
from routers.mapping.shrinkage import Reals

__all__ = ["ENOUGH", "candidates", "grade_of", "verdict_name"]

FOLDS = 5
ENOUGH = 20
"""From fewer lines nothing can be told of a vote on held-out ones."""
USUALLY = 0.5
"""An expert whose answers stand in more of a category's lines than this belongs to its panel."""


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """experts: by position, [m]. rows: lines in which all of them have an answer, [n]."""

    experts: Ints
    rows: Ints


def candidates(
    lines: Sequence[Graded],
    categories: Sequence[str],
    experts: Sequence[str],
    scores: Reals,
    *,
    most: int,
    seed: int = 0,
) -> list[FuseColumn]:
    """Votes and graded fuse plans of at most so many drafts.

    categories: of each line [n]. scores: 0 to 1, [n, e], NaN where an expert was not graded.
    """
    return [*_votes(lines, categories, experts, scores, most=most, seed=seed), *_verdicts(lines, most=most)]


def grade_of(plan: Plan, outcomes: Mapping[str, Grade], fused: Sequence[FusedGrade] = ()) -> Grade | None:
    """How a plan would have done on a query that was graded; None where that is not recorded."""
    if plan.kind == "single":
        return outcomes.get(plan.experts[0])
    if not plan.weights:
        same = (one for one in fused if (set(one.experts), one.verdict) == (set(plan.experts), plan.verdict))
        return next((one.grade for one in same), None)
    grades = [outcomes[expert] for expert in plan.experts if expert in outcomes]
    answers = [short_answer(grade.answer) for grade in grades if grade.answer is not None]
    if len(answers) < len(plan.experts):
        return None
    winner = grades[int(speakers(ballots_of([answers]), np.array(plan.weights))[0])]
    costs = [grade.cost_usd for grade in grades if grade.cost_usd is not None]
    return replace(winner, cost_usd=sum(costs) if len(costs) == len(grades) else None)


def verdict_name(fused: FusedGrade) -> str:
    """Of the fuse plan that was graded, whatever the order of its experts."""
    by = f" by {fused.verdict}" if fused.verdict is not None else ""
    return f"verdict{by}: {' + '.join(sorted(fused.experts))}"


def _votes(
    lines: Sequence[Graded], categories: Sequence[str], experts: Sequence[str], scores: Reals, *, most: int, seed: int
) -> list[FuseColumn]:
    fold = np.array([_fold(line, row, seed=seed) for row, line in enumerate(lines)], dtype=np.intp)
    found: dict[str, FuseColumn] = {}
    for panel in _panels(lines, categories, experts):
        if len(set(fold[panel.rows].tolist())) < 2:  # noqa: PLR2004 - one side learns, one is scored
            continue
        names = tuple(experts[at] for at in panel.experts.tolist())
        lesson = _lesson(
            [lines[row] for row in panel.rows.tolist()],
            [categories[row] for row in panel.rows.tolist()],
            names,
            scores[np.ix_(panel.rows, panel.experts)],
        )
        for column in fuse_columns(lesson, experts=names, fold=fold[panel.rows], most=most):
            whole = _whole(column, panel.rows, len(lines))
            found[whole.name] = _joined(found[whole.name], whole) if whole.name in found else whole
    return list(found.values())


def _panels(lines: Sequence[Graded], categories: Sequence[str], experts: Sequence[str]) -> list[_Panel]:
    """Categories that the same experts answer are one panel; those of too few experts or lines are none."""
    given = np.array([[_answer(line, expert) is not None for expert in experts] for line in lines], dtype=np.bool_)
    rows_of: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for category in sorted(set(categories)):
        rows = np.flatnonzero((np.array(categories) == category) & given.any(axis=1))
        if len(rows):
            usual = np.flatnonzero(given[rows].mean(axis=0) > USUALLY)
            rows_of[tuple(usual.tolist())] += rows[given[np.ix_(rows, usual)].all(axis=1)].tolist()
    return [
        _Panel(np.array(usual, dtype=np.intp), np.sort(np.array(rows, dtype=np.intp)))
        for usual, rows in rows_of.items()
        if len(usual) >= FEWEST and len(rows) >= ENOUGH
    ]


def _lesson(lines: Sequence[Graded], categories: Sequence[str], experts: Sequence[str], scores: Reals) -> Lesson:
    """Of lines in which all these experts have an answer. How many options a query has is told by the answers."""
    names, group = np.unique(np.array(categories), return_inverse=True)
    ballots = ballots_of([[short_answer(_answer(line, expert) or "") for expert in experts] for line in lines])
    return Lesson(
        ballots=ballots,
        scores=scores,
        group=group.astype(np.intp),
        options=np.full(len(lines), effective_options(ballots, scores)),
        categories=tuple(names.tolist()),
    )


def _whole(column: FuseColumn, rows: Ints, n: int) -> FuseColumn:
    """With the scores of all lines, NaN where it was not replayed, and named after its members."""
    kind = column.name.partition(" of ")[0]
    return replace(
        column,
        name=f"{kind}: {' + '.join(column.members)}",
        scores=_spread(column.scores, rows, n),
        placebo=None if column.placebo is None else _spread(column.placebo, rows, n),
    )


def _spread(values: npt.ArrayLike, rows: Ints, n: int) -> Reals:
    spread = np.full(n, np.nan)
    spread[rows] = values
    return spread


def _joined(first: FuseColumn, second: FuseColumn) -> FuseColumn:
    """The same vote of two panels, which have no category in common."""
    return replace(
        first,
        scores=_filled(first.scores, second.scores),
        placebo=None if first.placebo is None or second.placebo is None else _filled(first.placebo, second.placebo),
        weights={**first.weights, **second.weights},
    )


def _filled(values: npt.ArrayLike, others: npt.ArrayLike) -> Reals:
    """The first where they are known, the others elsewhere."""
    first = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(first), np.asarray(others, dtype=np.float64), first)


def _verdicts(lines: Sequence[Graded], *, most: int) -> list[FuseColumn]:
    graded: defaultdict[str, dict[int, FusedGrade]] = defaultdict(dict)
    for row, line in enumerate(lines):
        for fused in line.fused:
            if len(fused.experts) <= most:
                graded[verdict_name(fused)][row] = fused
    return [_verdict(name, by_row, len(lines)) for name, by_row in graded.items()]


def _verdict(name: str, by_row: Mapping[int, FusedGrade], n: int) -> FuseColumn:
    """Its scores and costs where it was graded, NaN elsewhere."""
    scores, costs = np.full(n, np.nan), np.full(n, np.nan)
    for row, fused in by_row.items():
        scores[row] = fused.grade.score
        costs[row] = np.nan if fused.grade.cost_usd is None else fused.grade.cost_usd
    first = next(iter(by_row.values()))
    return FuseColumn(
        name=name,
        members=tuple(sorted(first.experts)),
        scores=scores,
        costs_usd=None if np.isnan(costs).all() else costs,
        verdict=first.verdict,
    )


def _answer(line: Graded, expert: str) -> str | None:
    """What an expert said, empty where it gave no answer; None where that was not recorded."""
    grade = line.outcomes.get(expert)
    return None if grade is None else grade.answer


def _fold(line: Graded, row: int, *, seed: int) -> int:
    """By the query, so that the same one is never on both sides; by the place where only the category is known."""
    key = f"{seed}\0{row if line.query is None else same_text(line.query)}"
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big") % FOLDS
