"""What there is to judge: queries with answers of known grade, each with the panel of its category. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eval.datasets import DataError, Dataset, Record
from eval.datasets.problems import Problems, did_you_mean
from eval.metrics.arrays import Reals
from eval.runs import query_ids
from orchestrator.config.panels import Panel, panel_for

__all__ = ["Case", "cases_of"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Case:
    """A query, its answers and their gold grades, 0 to 1, in the same order. id: unique over all data sets."""

    id: str
    record: Record
    panel: str
    experts: tuple[str, ...]
    texts: tuple[str, ...]
    gold: Reals

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Answers of different gold, as (better, worse)."""
        gold = self.gold
        unlike = [(i, j) for i, j in combinations(range(len(gold)), 2) if gold[i] != gold[j]]
        return [(i, j) if gold[i] > gold[j] else (j, i) for i, j in unlike]


def cases_of(
    datasets: Sequence[Dataset], panels: Mapping[str, Panel], *, experts: Sequence[str] | None
) -> tuple[list[Case], int]:
    """The cases, and how many records are none: without two answers that have a text and a grade.

    experts: whose answers are judged; None for all.

    Raises:
        DataError: no panels, an expert without answers, a category that no panel judges, or nothing to judge.

    """
    if not panels:
        raise DataError(["the configuration has no panels; add a block 'panels' with judges and criteria"])
    problems = Problems()
    records = [record for dataset in datasets for record in dataset.records]
    _check_experts(records, experts)
    found: list[Case] = []
    for identity, record in zip(query_ids(datasets), records, strict=True):
        graded = _graded(record, experts)
        if len(graded) < 2:  # noqa: PLR2004 - an order needs two
            continue
        panel = panel_for(panels, record.category)
        if panel is None:
            message = f"category {record.category!r} has no panel, and no panel is for all others"
            problems.add(record.source or identity, message)
            continue
        gold = np.array([record.outcomes[expert].score for expert in graded])
        names = tuple(graded)
        found.append(
            Case(id=identity, record=record, panel=panel, experts=names, texts=tuple(graded.values()), gold=gold)
        )
    problems.check()
    if not any(case.pairs for case in found):
        reason = "no query has two answers (drafts with text) of different grade (outcomes with score)"
        raise DataError([f"{', '.join(dataset.name for dataset in datasets)}: {reason}"])
    return found, len(records) - len(found)


def _graded(record: Record, experts: Sequence[str] | None) -> dict[str, str]:
    """Answers with a grade, by expert."""
    return {
        expert: draft.text
        for expert, draft in record.drafts.items()
        if draft.text and expert in record.outcomes and (experts is None or expert in experts)
    }


def _check_experts(records: Sequence[Record], experts: Sequence[str] | None) -> None:
    known = {expert for record in records for expert in record.drafts}
    if unknown := [expert for expert in experts or () if expert not in known]:
        raise DataError([f"--experts {name}: no drafts by it{did_you_mean(name, known)}" for name in unknown])
