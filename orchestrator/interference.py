"""What adding an expert does to those that are there, by the graded queries: numbers, and what to warn of.

How the numbers come about is in `routers.mapping.interference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from routers.fusion.recorded import verdict_name
from routers.mapping.graded import Graded
from routers.mapping.interference import Interference, Measured, Scores, interference, overall
from routers.mapping.learned import LearnedMapping
from routers.mapping.matrix import Cell
from routers.mapping.shrinkage import Reals
from routers.mapping.table import table_of

__all__ = ["Report", "expected_warnings", "report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """expert: the new one. base: the expert that it was made from, None where there is none. overall: all traffic."""

    expert: str
    base: str | None
    categories: tuple[Interference, ...]
    overall: Measured

    @property
    def warnings(self) -> list[str]:
        """Lines for people: where the new expert answers and its base is better, and where the router loses."""
        lines = []
        if self.base is not None and not any(row.on_base is not None and row.on_base.n for row in self.categories):
            lines.append(f"no shot says how the base did; grade {self.base!r} on the same queries to see who loses")
        for row in self.categories:
            if row.answers and row.on_base is not None and row.on_base.value < 0:
                lines.append(f"{row.category} is answered by {self.expert}, {self._worse(row.on_base)}")
            if row.routed.seen == "loses":
                lines.append(f"{row.category} loses {-row.routed.value:.3f} on {row.routed.n} queries")
        return lines

    def _worse(self, on_base: Measured) -> str:
        sure = "" if on_base.seen == "loses" else "; too few to be sure"
        return f"which scores {-on_base.value:.3f} less there than its base {self.base} ({on_base.n} queries{sure})"


def report(before: LearnedMapping, after: LearnedMapping, lines: Sequence[Graded], *, base: str | None) -> Report:
    """What the graded queries of the last expert of `after` say; each has a category of the mapping."""
    expert = after.experts[-1]
    position = {category: row for row, category in enumerate(after.categories)}
    group = np.array([position[str(line.category)] for line in lines], dtype=np.intp)
    old, new = before.columns_at(len(before.frontier)), after.columns_at(len(after.frontier))
    scores = Scores(
        group=group,
        newcomer=_scores(lines, [expert] * len(lines)),
        base=None if base is None else _scores(lines, [base] * len(lines)),
        before=_scores(lines, [old[str(line.category)] for line in lines]),
        after=_scores(lines, [new[str(line.category)] for line in lines]),
    )
    answers = [_answers(after, new[category], expert) for category in after.categories]
    unchanged = [old[category] == new[category] for category in after.categories]
    return Report(
        expert=expert,
        base=base,
        categories=tuple(interference(after.categories, scores, answers=answers, unchanged=unchanged)),
        overall=overall(scores, shares=table_of(after).shares, unchanged=unchanged),
    )


def expected_warnings(learned: LearnedMapping, bases: dict[str, str]) -> list[str]:
    """Categories that an adapter answers and that its base is expected to do better; by all that was learned.

    bases: of adapters, by expert.
    """
    found = []
    for category, column in learned.columns_at(len(learned.frontier)).items():
        for expert, base in bases.items():
            own, other = (learned.cells[category].get(name, Cell(n=0)) for name in (expert, base))
            if not _answers(learned, column, expert) or own.mean is None or other.mean is None:
                continue
            if own.mean < other.mean:
                scores = f"expected to score {own.text()} there, its base {base} {other.text()}"
                found.append(f"{category} is answered by {expert}, {scores}")
    return found


def _answers(learned: LearnedMapping, column: str, expert: str) -> bool:
    return expert in (learned.fused[column].members if column in learned.fused else (column,))


def _scores(lines: Sequence[Graded], columns: Sequence[str]) -> Reals:
    """Of each query by one column, an expert or a graded fuse plan; NaN where it is not known."""
    return np.array([_score(line, column) for line, column in zip(lines, columns, strict=True)], dtype=np.float64)


def _score(line: Graded, column: str) -> float:
    if column in line.outcomes:
        return line.outcomes[column].score
    whole = [fused.grade.score for fused in line.fused if verdict_name(fused) == column]
    return sum(whole) / len(whole) if whole else float("nan")
