"""Two findings of the same suite on the same data: which figures became better, which worse, and which nobody can tell.

Where both have each query's own values, the difference is paired over the queries they share. Elsewhere it stands on
the two intervals alone, as if the runs were independent; that is wider, and said.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from eval.datasets import DataError
from eval.findings import Findings, flat
from eval.measures import Better, measure
from eval.metrics import Figure, Resampling
from eval.metrics.arrays import Reals
from eval.same_data import aligned_ids, check_same_data

__all__ = ["FEWEST_CHANGED", "Change", "Comparison", "Verdict", "compare"]

Verdict: TypeAlias = Literal["better", "worse", "changed", "not distinguishable", "undefined"]
Method: TypeAlias = Literal["paired", "unpaired", "none"]

FEWEST_CHANGED = 6
"""With fewer queries that changed, even all of them in one direction is chance more often than once in 20 (a sign test:
2 / 2^5 = .0625), while resampling them would leave no spread at all."""

ROUNDING = 1e-6
"""Of the values of single queries in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure before and after. difference: after minus before; its n is that of the pairs, or the smaller one.

    verdict: `changed` is a difference of a figure that only describes; `undefined` where a side has no value.
    method: paired over queries, from the two intervals, or none where an interval is missing.
    gates: whether it can make the comparison fail. regression: it is worse, distinguishably and beyond the tolerance.
    """

    name: str
    before: Figure
    after: Figure
    difference: Figure
    verdict: Verdict
    method: Method
    gates: bool
    regression: bool

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "difference": self.difference.as_dict(),
            "verdict": self.verdict,
            "method": self.method,
            "gates": self.gates,
            "regression": self.regression,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All changes, in the order of the figures. only_before, only_after: figures that the other side lacks."""

    suite: str
    changes: tuple[Change, ...]
    tolerance: float
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What makes it fail."""
        return tuple(change for change in self.changes if change.regression)

    @property
    def summary(self) -> str:
        """The outcome in a sentence or two: regressions by name, else how many of those that count went which way."""
        beyond = f" by more than {self.tolerance:g}" if self.tolerance else ""
        if self.regressions:
            return f"worse{beyond}: {', '.join(change.name for change in self.regressions)}"
        counts = Counter(change.verdict for change in self.changes if change.gates)
        ways = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())) or "none"
        return f"no regression{beyond}; of the figures that count: {ways}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and which figures could not be compared."""
        lost = [f"only in the first: {', '.join(self.only_before)}"] if self.only_before else []
        gained = [f"only in the second: {', '.join(self.only_after)}"] if self.only_after else []
        return (*self.notes, *lost, *gained)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "suite": self.suite,
            "tolerance": self.tolerance,
            "regressions": [change.name for change in self.regressions],
            "figures": {change.name: change.as_dict() for change in self.changes},
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "notes": list(self.notes),
        }


def compare(
    before: Findings, after: Findings, *, tolerance: float = 0.0, gate: Collection[str] = (), seed: int = 0
) -> Comparison:
    """Every figure that both have.

    Figures at the top gate, and so do those that `gate` names, whole trees of figures included. The more figures gate,
    the more often one of them is worse by chance (each about once in 40): those below the top only describe, unless
    asked for.

    Raises:
        DataError: they are of different suites or on different data, or `gate` names no figure that both have.
    """
    notes = check_same_data(before, after)
    old, new = dict(flat(before.figures)), dict(flat(after.figures))
    both = [name for name in old if name in new]
    _check_gate(gate, both)
    pairs = _Pairs(before, after, seed=seed)
    changes = [
        _change(name, old[name], new[name], pairs=pairs, gates=_gates(name, gate), tolerance=tolerance) for name in both
    ]
    return Comparison(
        suite=after.suite,
        changes=tuple(changes),
        tolerance=tolerance,
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        notes=notes,
    )


class _Pairs:
    """The values of the queries that both findings have."""

    def __init__(self, before: Findings, after: Findings, *, seed: int) -> None:
        self._before, self._after, self._seed = _means_of_queries(before), _means_of_queries(after), seed
        old, new = aligned_ids(before), aligned_ids(after)
        at = {identity: row for row, identity in enumerate(new)}
        shared = [(row, at[identity]) for row, identity in enumerate(old) if identity in at]
        self._rows = np.array(shared, dtype=np.intp).reshape(-1, 2)

    def difference(self, name: str) -> Figure | None:
        """After minus before, over the queries that enter the figure on both sides; None where there are none."""
        if name not in self._before or name not in self._after:
            return None
        change = self._after[name][self._rows[:, 1]] - self._before[name][self._rows[:, 0]]
        change = change[~np.isnan(change)]
        if not len(change):
            return None
        figure = Resampling(len(change), seed=self._seed).mean(change)
        few = 0 < np.count_nonzero(change) < FEWEST_CHANGED
        return Figure(figure.value, _reaching_zero(figure.ci95), figure.n) if few else figure


def _means_of_queries(findings: Findings) -> dict[str, Reals]:
    """The columns whose mean is their figure; what averages otherwise (over collections, say) cannot be paired so."""
    figures = dict(flat(findings.figures))
    columns = findings.queries.values
    return {name: columns[name] for name in columns if name in figures and _is_mean(columns[name], figures[name])}


def _is_mean(column: Reals, figure: Figure) -> bool:
    there = column[~np.isnan(column)]
    return len(there) > 0 and math.isclose(float(there.mean()), figure.value, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _change(name: str, before: Figure, after: Figure, *, pairs: _Pairs, gates: bool, tolerance: float) -> Change:
    paired = pairs.difference(name)
    difference = paired or _unpaired(before, after)
    method: Method = "paired" if paired else "none" if difference.ci95 is None else "unpaired"
    verdict = _verdict(difference, measure(name).better)
    return Change(
        name=name,
        before=before,
        after=after,
        difference=difference,
        verdict=verdict,
        method=method,
        gates=gates,
        regression=gates and verdict == "worse" and abs(difference.value) > tolerance,
    )


def _unpaired(before: Figure, after: Figure) -> Figure:
    """The difference of two independent values: half-widths add in squares (normal approximation)."""
    value, n = after.value - before.value, min(before.n, after.n)
    if before.ci95 is None or after.ci95 is None or math.isnan(value):
        return Figure(value, None, n)
    half = math.hypot(*((high - low) / 2 for low, high in (before.ci95, after.ci95)))
    return Figure(value, (value - half, value + half), n)


def _verdict(difference: Figure, better: Better) -> Verdict:
    if math.isnan(difference.value):
        return "undefined"
    if difference.ci95 is None or difference.ci95[0] <= 0 <= difference.ci95[1]:
        return "not distinguishable"
    if better == "neither":
        return "changed"
    return "better" if (difference.value > 0) == (better == "higher") else "worse"


def _reaching_zero(ci95: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ci95 is None else (min(ci95[0], 0.0), max(ci95[1], 0.0))


def _gates(name: str, gate: Collection[str]) -> bool:
    return "." not in name or any(_within(name, wanted) for wanted in gate)


def _within(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}.")


def _check_gate(gate: Collection[str], both: Sequence[str]) -> None:
    unknown = [wanted for wanted in gate if not any(_within(name, wanted) for name in both)]
    if unknown:
        tops = ", ".join(dict.fromkeys(name.split(".")[0] for name in both)) or "none"
        raise DataError([f"--figure {wanted}: not a figure that both have; they have {tops}" for wanted in unknown])
