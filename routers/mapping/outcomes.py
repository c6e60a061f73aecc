"""Graded outcomes as learning wants them: one column an expert or candidate of a fuse plan, checked at the door.

Knows shapes and gaps, not what is learned of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from routers.errors import TrainingError
from routers.mapping.shrinkage import Ints, Reals

__all__ = ["FuseColumn", "Outcomes", "outcomes_of"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FuseColumn:
    """A fuse plan that was tried: what the verdict on its members' drafts scored.

    name: unlike any expert's. members: the experts that draft, at least two. scores: 0 to 1 [n], NaN where not tried.
    costs_usd: of the whole plan [n]; without it the sum of the members' costs. weights: by category, of the members'
    votes in their order; none where a verdict is written, by the expert `verdict` if that is known. placebo: what the
    same vote scores without as many drafts, drawn at random, as a consensus drops [n].
    """

    name: str
    members: tuple[str, ...]
    scores: npt.ArrayLike
    costs_usd: npt.ArrayLike | None = None
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    verdict: str | None = None
    placebo: npt.ArrayLike | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outcomes:
    """Queries are rows; columns are the experts in their order, then the fuse plans.

    categories: distinct, sorted. group: the category of each query, its position [n]. members: bool [k, e], the
    experts that answering by a column calls. scores, costs_usd: [n, k], NaN where unknown; costs None without any, and
    NaN throughout for a fuse plan that costs what its members do.
    """

    categories: tuple[str, ...]
    experts: tuple[str, ...]
    fused: tuple[str, ...]
    group: Ints
    members: npt.NDArray[np.bool_]
    scores: Reals
    costs_usd: Reals | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns [k]."""
        return (*self.experts, *self.fused)

    @property
    def shares(self) -> Reals:
        """The part of the traffic that each category has, [c], summing to 1."""
        counts: Reals = np.bincount(self.group, minlength=len(self.categories)).astype(np.float64)
        return counts / len(self.group)


def outcomes_of(
    categories: Sequence[str],
    experts: Sequence[str],
    scores: npt.ArrayLike,
    *,
    costs_usd: npt.ArrayLike | None = None,
    fuse_columns: Sequence[FuseColumn] = (),
) -> Outcomes:
    """The outcomes as one table; raises TrainingError, which names everything that is wrong with them."""
    problems = [*_name_problems(experts, fuse_columns), *_data_problems(categories, experts, scores, costs_usd)]
    if problems:
        raise TrainingError(problems)
    graded = np.asarray(scores, dtype=np.float64)
    costs = None if costs_usd is None else np.asarray(costs_usd, dtype=np.float64)
    position = {expert: column for column, expert in enumerate(experts)}
    members = np.zeros((len(experts) + len(fuse_columns), len(experts)), dtype=np.bool_)
    members[: len(experts)] = np.eye(len(experts), dtype=np.bool_)
    for row, fused in enumerate(fuse_columns, start=len(experts)):
        members[row, [position[member] for member in fused.members]] = True
        problems += _column_problems(fused, len(graded), costs)
    if problems:
        raise TrainingError(problems)
    names, group = np.unique(np.asarray(categories, dtype=object).astype(str), return_inverse=True)
    if costs is not None:
        unknown = np.full(len(graded), np.nan)
        bills = [unknown if fused.costs_usd is None else fused.costs_usd for fused in fuse_columns]
        costs = np.column_stack([costs, *bills]).astype(np.float64)
    return Outcomes(
        categories=tuple(names.tolist()),
        experts=tuple(experts),
        fused=tuple(fused.name for fused in fuse_columns),
        group=group.astype(np.intp),
        members=members,
        scores=np.column_stack([graded, *(np.asarray(fused.scores, dtype=np.float64) for fused in fuse_columns)]),
        costs_usd=costs,
    )


def _name_problems(experts: Sequence[str], fuse_columns: Sequence[FuseColumn]) -> list[str]:
    problems = [] if experts else ["no experts to choose from"]
    names = [*experts, *(fused.name for fused in fuse_columns)]
    problems += [f"the name {name!r} stands {names.count(name)} times" for name in _repeated(names)]
    for fused in fuse_columns:
        unknown = [member for member in fused.members if member not in experts]
        problems += [f"fuse plan {fused.name!r}: {member!r} is no expert" for member in unknown]
        if len(set(fused.members)) < max(2, len(fused.members)):
            problems.append(f"fuse plan {fused.name!r}: it needs two or more different members")
    return problems


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _data_problems(
    categories: Sequence[str], experts: Sequence[str], scores: npt.ArrayLike, costs_usd: npt.ArrayLike | None
) -> list[str]:
    shape = (len(categories), len(experts))
    problems = [] if len(categories) else ["no graded queries to learn from"]
    problems += _array_problems("scores", scores, shape, most=1.0)
    if costs_usd is not None:
        problems += _array_problems("costs_usd", costs_usd, shape)
    if not problems and np.isnan(np.asarray(scores, dtype=np.float64)).all():
        problems.append("scores: every one is missing")
    if not problems and costs_usd is not None:
        missing = np.atleast_1d(np.isnan(np.asarray(costs_usd, dtype=np.float64)).all(axis=0))
        problems += [
            f"costs_usd: none is known of {expert!r}" for expert, gone in zip(experts, missing, strict=True) if gone
        ]
    return problems


def _column_problems(fused: FuseColumn, n: int, costs: Reals | None) -> list[str]:
    where = f"fuse plan {fused.name!r}: "
    problems = _array_problems(f"{where}scores", fused.scores, (n,), most=1.0)
    if fused.costs_usd is not None:
        problems += _array_problems(f"{where}costs_usd", fused.costs_usd, (n,))
        problems += [f"{where}costs_usd is known, and the experts' is not"] if costs is None else []
    return problems


def _array_problems(
    what: str, values: npt.ArrayLike, shape: tuple[int, ...], *, most: float = np.finfo(np.float64).max
) -> list[str]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        return [f"{what}: expected an array of shape {shape}, got {array.shape}"]
    wrong = np.argwhere((array < 0) | (array > most))
    if len(wrong) == 0:
        return []
    first = tuple(int(index) for index in wrong[0])
    limits = "0 or more" if most > 1 else "from 0 to 1"
    return [f"{what}: {len(wrong)} values are not {limits}; the first, at {first}, is {array[first]}"]
