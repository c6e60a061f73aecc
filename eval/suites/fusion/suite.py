"""Do several drafts and a verdict beat one expert: measured on recorded drafts, each way on the same ones.

After Speculative Verdict (arXiv 2510.20812) for experts that cannot score likelihoods, with the placebo that filtering
drafts by agreement needs: as many drafts dropped at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from eval.datasets import DataError, Dataset
from eval.findings import Findings, PerQuery
from eval.runs import describe, notes_of
from eval.splits import Split, folds_of, train_then_judged
from eval.suites.fusion.drafts import CHARACTERS_A_TOKEN, Drafted, drafted
from eval.suites.fusion.figures import Means, figures_of, flat_values, values_of
from eval.suites.fusion.gathering import gathered
from eval.suites.fusion.methods import judge, learn
from eval.suites.fusion.parts import parts_of

__all__ = ["FOLDS", "judge_fusion"]

FOLDS = 5
LEAST_LEARNED = 20
"""From fewer queries nothing can be told of a vote on held-out ones."""

Progress: TypeAlias = Callable[[str, int, int], None]


def judge_fusion(
    datasets: Sequence[Dataset],
    *,
    train: Sequence[Dataset] = (),
    experts: Sequence[str] | None = None,
    most_drafts: int | None = None,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress,
) -> Findings:
    """Learn from `train`, or from the other folds (5 by default) of the data, and judge each query once.

    experts: None for all that drafted. most_drafts: of a query; which experts draft is learned too.

    Raises:
        DataError: no drafts with answers, unknown experts, nothing to tell right from wrong, or too few queries.
    """
    if train and folds is not None:
        raise DataError(["votes are learned from --train or from --folds, not from both: leave one out"])
    data = drafted(train, datasets, experts=experts, seed=seed)
    splits = _splits(data, folds=folds or FOLDS, seed=seed)
    most = min(most_drafts or len(data.experts), len(data.experts))
    learned, judged = [], []
    for number, split in enumerate(splits):
        progress("learning votes", number, len(splits))
        learned.append(learn(data, split.learned, most=most, seed=seed))
        judged.append(judge(data, split, learned[-1]))
    progress("learning votes", len(splits), len(splits))
    found = gathered(data, judged)
    values = values_of(data, found)
    means = Means(len(found.rows), seed=seed)
    return Findings(
        suite="fusion",
        run=describe(
            [*train, *datasets],
            seed=seed,
            folds=None if train else len(splits),
            train=len(train) or None,
            experts=list(data.experts),
            most_drafts=most,
        ),
        figures=figures_of(values, means),
        parts=parts_of(data, found, learned, means=means, seed=seed),
        queries=PerQuery(ids=tuple(data.ids[row] for row in found.rows.tolist()), values=dict(flat_values(values))),
        notes=(*notes_of([*train, *datasets]), *_notes(data, splits)),
    )


def _splits(data: Drafted, *, folds: int, seed: int) -> list[Split]:
    """By folds, or what is to be learned from and what is to be judged, without a text in common."""
    if not data.train:
        splits = list(folds_of(data.records, folds=folds, seed=seed))
    else:
        splits = [train_then_judged(data.records, data.train)]
    for split in splits:
        if len(split.learned) < LEAST_LEARNED or not len(split.judged):
            counts = f"{len(split.learned)} queries to learn from, {len(split.judged)} to judge"
            raise DataError([f"{counts}; at least {LEAST_LEARNED} and 1 with drafts of all experts are needed"])
    return splits


def _notes(data: Drafted, splits: Sequence[Split]) -> list[str]:
    notes = [f"tokens are estimated as characters / {CHARACTERS_A_TOKEN}, where the texts of all drafts are known"]
    if data.left_out:
        notes.append(f"{data.left_out} queries left out, which lack a draft of one of the {len(data.experts)} experts")
    if data.train and (seen := data.train - len(splits[0].learned)):
        notes.append(f"{seen} queries are not learned from: their text is also judged")
    return notes
