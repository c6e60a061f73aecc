"""Agreement of panels with gold: of the whole panel, each judge, each criterion, beside the same judges' one score.

Verification of routed multi-criterion judges (PAPERS.md 3.6): agreement in pairs against a judge with one score, and
rank correlation with the grades. Weights of criteria are fitted on the other folds only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import numpy as np

from eval.datasets import DataError, Dataset
from eval.findings import Findings, PerQuery, nested
from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import IntArray, Reals
from eval.metrics.means import mean_figure
from eval.metrics.ordering import spearman
from eval.runs import describe, notes_of
from eval.splits import Split, folds_of
from eval.suites.judges.asking import Heard, Progress, hear_all
from eval.suites.judges.cases import cases_of
from eval.suites.judges.figures import Judging, Name, grades_of, values_of
from eval.suites.judges.leanings import Leaning, leanings_of
from eval.suites.judges.parts import heat_map, slices
from eval.suites.judges.weights import fitted_weights
from eval.suites.pipeline.questions import sampled
from orchestrator.config import Config
from orchestrator.config.panels import Panel
from orchestrator.fleet.registry import Registry
from orchestrator.judging import Judges

__all__ = ["FOLDS", "judge_panels"]

FOLDS = 5
UNBOUNDED = frozenset({"calls", "judge_tokens", "cost_usd", "agreement_gain", "tau"})
"""Figures that are no shares: where all values are 1 the next may be more, or less."""


async def judge_panels(
    opened: AbstractAsyncContextManager[Registry],
    config: Config,
    datasets: Sequence[Dataset],
    *,
    experts: Sequence[str] | None = None,
    limit: int | None = None,
    folds: int = FOLDS,
    concurrency: int = 4,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Have the panels of a configuration judge answers whose grade is known.

    opened: its experts, entered once it is known that there is something to judge. experts: whose answers; None for
    all. limit: so many queries, drawn by the seed.

    Raises:
        DataError: no panel, nothing to judge, too few queries for the folds, or no judge said anything usable.

    """
    drawn = sampled(datasets, limit=limit, seed=seed)
    cases, left_out = cases_of(drawn, config.panels, experts=experts)
    splits = list(folds_of([case.record for case in cases], folds=folds, seed=seed))  # before anybody is asked
    async with opened as registry:
        heard = await hear_all(
            Judges(config.panels, registry),
            config.panels,
            cases,
            deadline_s=config.budget.deadline_s,
            concurrency=concurrency,
            progress=progress,
        )
    judging = _judging(config.panels, heard, splits)
    values = values_of(judging)
    return Findings(
        suite="judges",
        run=describe(drawn, seed=seed, folds=folds, limit=limit, **_settings(config, experts)),
        figures=nested(_figures(values, seed=seed) | _correlations(judging, seed=seed)),
        parts={"heat_map": heat_map(cases, values, seed=seed), "slices": slices(judging, seed=seed)},
        queries=PerQuery(
            ids=tuple(case.id for case in cases), values={".".join(name): row for name, row in values.items()}
        ),
        notes=(*notes_of(drawn), *_notes(judging, left_out=left_out)),
    )


def _settings(config: Config, experts: Sequence[str] | None) -> dict[str, object]:
    return {
        "experts": None if experts is None else list(experts),
        "deadline_s": config.budget.deadline_s,
        "config_sha256": hashlib.sha256(config.model_dump_json().encode()).hexdigest(),
    }


def _judging(panels: Mapping[str, Panel], heard: Sequence[Heard], splits: Sequence[Split]) -> Judging:
    """Weights are fitted for each case without its fold; raises DataError where nobody said anything."""
    leanings = leanings_of(heard)
    if not leanings:
        raise DataError([f"no judge said anything that can be used: {_first_failure(heard)}"])
    fitted: list[dict[str, dict[str, float]]] = [{} for _ in heard]
    for split in splits:
        learned = set(split.learned.tolist())
        weights = _weights(panels, [one for one in leanings if one.row in learned])
        for row in split.judged.tolist():
            fitted[row] = weights
    return Judging(panels=panels, heard=heard, leanings=leanings, fitted=fitted)


def _weights(panels: Mapping[str, Panel], leanings: Sequence[Leaning]) -> dict[str, dict[str, float]]:
    return {
        name: fitted_weights([one for one in leanings if one.panel == name], list(panel.criteria))
        for name, panel in panels.items()
    }


def _correlations(judging: Judging, *, seed: int) -> dict[Name, Figure]:
    """Of the ranks of all answers of all cases, drawn by case."""
    found: dict[Name, Figure] = {}
    for way, grades in grades_of(judging).items():
        there = [row for row, grade in enumerate(grades) if not np.isnan(grade).all()]
        gold = [judging.heard[row].case.gold[~np.isnan(grades[row])] for row in there]
        said = [grades[row][~np.isnan(grades[row])] for row in there]

        def of(rows: IntArray, said: Sequence[Reals] = said, gold: Sequence[Reals] = gold) -> float:
            return spearman(np.concatenate([said[at] for at in rows]), np.concatenate([gold[at] for at in rows]))

        if there:
            found["correlation", way] = Resampling(len(there), seed=seed).of_rows(of)
    return found


def _figures(values: Mapping[Name, Reals], *, seed: int) -> dict[Name, Figure]:
    return {name: (_amount if name[0] in UNBOUNDED else mean_figure)(row, seed=seed) for name, row in values.items()}


def _amount(row: Reals, *, seed: int) -> Figure:
    there = row[~np.isnan(row)]
    return Resampling(len(there), seed=seed).mean(there) if len(there) else UNDEFINED


def _notes(judging: Judging, *, left_out: int) -> list[str]:
    notes = []
    cases = [one.case for one in judging.heard]
    if left_out:
        notes.append(f"{left_out} records left out, which have no two answers with a text and a grade")
    pairs = sum(len(case.pairs) for case in cases)
    if missing := pairs - len(judging.leanings):
        notes.append(f"{missing} of {pairs} pairs were judged by nobody, as {_first_failure(judging.heard)}")
    weights = _weights(judging.panels, judging.leanings)
    for panel in dict.fromkeys(case.panel for case in cases):
        shown = ", ".join(f"{name}: {weight:.3f}" for name, weight in weights[panel].items())
        notes.append(f"panels.{panel}.weights fitted on all of this data: {{{shown}}}")
    return notes


def _first_failure(heard: Sequence[Heard]) -> str:
    """What was wrong with the first judge that said nothing usable."""
    reasons = (reason for one in heard for reason in one.failed.values())
    return next(reasons, "all their judges failed")
