"""Ranks the tools of every query, and judges the ranking and the abstaining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.datasets import DataError, Dataset
from eval.findings import Figures, Findings, PerQuery
from eval.metrics import UNDEFINED
from eval.metrics.arrays import Reals
from eval.metrics.detection import detection
from eval.metrics.means import mean_figure
from eval.runs import describe, notes_of
from eval.splits import text_key
from eval.suites.tools.answers import Answers, Progress, answered, rounds
from eval.suites.tools.choices import Choice, Choices, Tools, choices_of
from eval.suites.tools.parts import confusions, slices
from routers.embedding import Embedder

__all__ = ["judge_tools"]


def judge_tools(
    datasets: Sequence[Dataset],
    *,
    embedder: Embedder | None,
    train: Sequence[Dataset] = (),
    folds: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Rank by what tools say of themselves, or also by examples: those of `train`, or of the other folds of the data.

    Figures of ranking (`recall1`, `recall5`, `mean_reciprocal_rank`) are of queries with a right tool, whether the
    chooser abstains or not. Of several right tools any may come first; `recall5` is the share of them among the first
    five. Those of abstaining are of all queries; `withheld` has each query with a right tool twice, as it is and with
    its right tools taken away, which is harder than a request that no tool was made for.

    embedder: None to go by words alone. limit: judge only so many queries, drawn by the seed.

    Raises:
        DataError: nothing to judge, tools that are not offered, or too few queries for so many folds.
    """
    if train and folds is not None:
        raise DataError(["examples come from --train or from --folds, not from both: leave one out"])
    tools = Tools()
    learned = choices_of(train, tools)
    asked = choices_of(datasets, tools)
    examples = _apart(learned.queries, asked.queries)
    answers = answered(
        tools.every,
        asked.queries,
        rounds(asked.queries, examples, folds=folds, limit=limit, seed=seed),
        embedder=embedder,
        progress=progress,
    )
    named = None if embedder is None else embedder.fingerprint
    return Findings(
        suite="tools",
        run=describe(
            [*train, *datasets], seed=seed, embedder=named, folds=folds, limit=limit, train=len(train) or None
        ),
        figures=_figures(asked.queries, answers, seed=seed),
        parts=_parts(asked.queries, answers),
        queries=_per_query(asked.queries, answers),
        notes=(*notes_of([*train, *datasets]), *_notes(asked, learned, examples, answers)),
    )


def _apart(learned: Sequence[Choice], asked: Sequence[Choice]) -> list[Choice]:
    """What may be learned from: who has learned a query cannot be judged by it."""
    judged = {text_key(choice.record.query) for choice in asked}
    return [choice for choice in learned if text_key(choice.record.query) not in judged]


def _figures(queries: Sequence[Choice], answers: Answers, *, seed: int) -> Figures:
    rows = answers.judged
    none_right = np.array([not queries[row].answerable for row in rows], dtype=np.bool_)
    natural = detection(answers.abstained[rows] == 1, none_right)
    twice = np.flatnonzero(~np.isnan(answers.withheld))
    abstained = np.concatenate([answers.abstained[twice], answers.withheld[twice]]) == 1
    planted = detection(abstained, np.arange(2 * len(twice)) >= len(twice))
    return {
        "recall1": mean_figure(answers.recall1, seed=seed),
        "recall5": mean_figure(answers.recall5, seed=seed),
        "mean_reciprocal_rank": mean_figure(answers.reciprocal_rank, seed=seed),
        "abstain_precision": natural.precision if none_right.any() else UNDEFINED,
        "abstain_recall": natural.recall,
        "abstain_kept": natural.kept,
        "withheld": {"abstain_precision": planted.precision, "abstain_recall": planted.recall},
    }


def _per_query(queries: Sequence[Choice], answers: Answers) -> PerQuery:
    rows = answers.judged
    none_right = np.array([not queries[row].answerable for row in rows], dtype=np.bool_)
    abstained = answers.abstained[rows]
    values: Mapping[str, Reals] = {
        "recall1": answers.recall1[rows],
        "recall5": answers.recall5[rows],
        "mean_reciprocal_rank": answers.reciprocal_rank[rows],
        "abstain_recall": np.where(none_right, abstained, np.nan),
        "abstain_kept": np.where(none_right, np.nan, 1 - abstained),
        "withheld.abstain_recall": answers.withheld[rows],
    }
    return PerQuery(ids=tuple(queries[row].id for row in rows), values=values)


def _parts(queries: Sequence[Choice], answers: Answers) -> dict[str, Any]:
    parts: dict[str, Any] = {"slices": slices(queries, answers)}
    if (found := confusions(queries, answers)) is not None:
        parts["confusion"] = found
    return parts


def _notes(asked: Choices, learned: Choices, examples: Sequence[Choice], answers: Answers) -> list[str]:
    notes: list[str] = []
    n = len(asked.queries)
    if unknown := asked.unknown + learned.unknown:
        notes.append(f"{unknown} queries are left out: nobody knows which of their tools is right")
    if all(choice.answerable for choice in asked.queries):
        notes.append("every query has a right tool: what abstaining is worth shows in `withheld` alone")
    if len(answers.judged) < n:
        notes.append(f"{len(answers.judged)} of {n} queries were judged, drawn by the seed")
    if same := len(learned.queries) - len(examples):
        notes.append(f"{same} queries to learn from are left out: they stand among those to judge by too")
    offered = {at for choice in asked.queries for at in choice.among.tolist()}
    if learned.queries and not any(at in offered for choice in examples for at in choice.right.tolist()):
        notes.append("none of the tools with examples is offered to the queries that are judged: they taught nothing")
    return notes
