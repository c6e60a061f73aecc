"""Values of each query under every way to judge: agreement in pairs, rank correlations, failures, cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eval.metrics.arrays import Reals
from eval.metrics.ordering import tau_b
from eval.suites.judges.asking import Heard
from eval.suites.judges.leanings import Leaning, agrees
from orchestrator.config.panels import Panel
from orchestrator.judging import Judged

__all__ = ["Judging", "Name", "values_of"]

Name: TypeAlias = tuple[str, ...]
"""Where a figure stands in the tree."""
Weights: TypeAlias = Mapping[str, Mapping[str, float]]
"""Of the criteria, by panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """All that was heard. fitted: by case the weights that were fitted without its fold, by panel."""

    panels: Mapping[str, Panel]
    heard: Sequence[Heard]
    leanings: Sequence[Leaning]
    fitted: Sequence[Weights]


def values_of(judging: Judging) -> dict[Name, Reals]:
    """By the figure's name a value a case, [n]; NaN where it does not enter."""
    values = _agreements(judging)
    panel, fitted = values["agreement", "panel"], values["agreement", "fitted"]
    values["agreement_gain", "fitted_over_one_score"] = fitted - values["agreement", "one_score"]
    values["agreement_gain", "panel_over_one_score"] = panel - values["agreement", "one_score"]
    values["agreement_gain", "fitted_over_panel"] = fitted - panel
    for way, grades in grades_of(judging).items():
        row = np.array([_tau(one, said) for one, said in zip(judging.heard, grades, strict=True)])
        if not np.isnan(row).all():
            values["tau", way] = row
    return values | _by_judge(judging) | _spent(judging)


def grades_of(judging: Judging) -> dict[str, list[Reals]]:
    """By way to judge, of every case the grade of each answer; NaN where there is none (of pairs there never is)."""
    ways: dict[str, Callable[[int, Heard, tuple[int, ...]], float]] = {
        "panel": lambda _, one, place: _value(one.panel.get(place), None),
        "fitted": lambda row, one, place: _value(one.panel.get(place), judging.fitted[row][one.case.panel]),
        "one_score": lambda _, one, place: _value(one.one_score.get(place), None),
    }
    return {
        way: [
            np.array([grade(row, one, (at,)) for at in range(len(one.case.texts))])
            for row, one in enumerate(judging.heard)
        ]
        for way, grade in ways.items()
    }


def _value(judged: Judged | None, weights: Mapping[str, float] | None) -> float:
    if judged is None:
        return np.nan
    return judged.value if weights is None else _weighed(judged.criteria, weights)


def _weighed(said: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weight * said[name] for name, weight in weights.items())


def _agreements(judging: Judging) -> dict[Name, Reals]:
    leans: dict[Name, list[tuple[int, float]]] = {("agreement", way): [] for way in ("panel", "fitted", "one_score")}
    for one in judging.leanings:
        shares, means = judging.panels[one.panel].shares, one.criteria
        leans["agreement", "panel"].append((one.row, _weighed(means, shares)))
        leans["agreement", "fitted"].append((one.row, _weighed(means, judging.fitted[one.row][one.panel])))
        if one.one_score is not None:
            leans["agreement", "one_score"].append((one.row, one.one_score))
        for judge, said in one.judges.items():
            leans.setdefault(("agreement", "judges", judge), []).append((one.row, _weighed(said, shares)))
        for criterion, value in means.items():
            leans.setdefault(("agreement", "criteria", criterion), []).append((one.row, value))
    return {name: _a_case(found, len(judging.heard)) for name, found in leans.items()}


def _a_case(leans: Sequence[tuple[int, float]], n: int) -> Reals:
    """The mean over each case's pairs."""
    rows = np.array([row for row, _ in leans], dtype=np.intp)
    sums = np.bincount(rows, weights=agrees([value for _, value in leans]), minlength=n)
    counts = np.bincount(rows, minlength=n)
    means: Reals = np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)
    return means


def _tau(one: Heard, said: Reals) -> float:
    """A judge that gives all answers the same grade says nothing: 0; NaN where gold says nothing."""
    there = ~np.isnan(said)
    if not there.any() or np.ptp(one.case.gold[there]) == 0:
        return np.nan
    found = tau_b(said[there], one.case.gold[there])
    return 0.0 if np.isnan(found) else found


def _by_judge(judging: Judging) -> dict[Name, Reals]:
    """How often a judge said nothing usable, and of pairs how often the order did not matter to it."""
    found: dict[Name, Reals] = {}
    names = dict.fromkeys(judge for one in judging.heard for judge in judging.panels[one.case.panel].judges)
    for judge in names:
        failed = [_failed(one, judge, judging.panels[one.case.panel]) for one in judging.heard]
        found["judge_failures", judge] = np.array(failed)
        steady = np.array([_mean([j.steady[judge] for j in _all(one) if judge in j.steady]) for one in judging.heard])
        if not np.isnan(steady).all():
            found["steady", judge] = steady
    return found


def _failed(one: Heard, judge: str, panel: Panel) -> float:
    if judge not in panel.judges:
        return np.nan
    return _mean([float(said is None or judge in said.failed) for said in one.panel.values()])


def _spent(judging: Judging) -> dict[Name, Reals]:
    found: dict[Name, Reals] = {}
    for way in ("panel", "one_score"):
        said = [[j for j in getattr(one, way).values() if j is not None] for one in judging.heard]
        found["calls", way] = np.array([float(sum(len(j.attempts) for j in case)) for case in said])
        found["judge_tokens", way] = np.array([float(sum(j.tokens for j in case)) for case in said])
        found["cost_usd", way] = np.array([sum(j.cost_usd for j in case) for case in said], dtype=np.float64)
    return found


def _all(one: Heard) -> list[Judged]:
    return [said for said in one.panel.values() if said is not None]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else np.nan
