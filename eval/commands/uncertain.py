"""The verb `orchestrator eval uncertain`."""

from __future__ import annotations

from typing import Annotated

import typer

from eval.commands.embedding import NO_EMBEDDER, stored_embedder
from eval.commands.options import Data, EmbedderName, ExpertNames, Folds, JsonFile, ReportFolder, Seed, names_of
from eval.commands.running import finish, judging, opened

__all__ = ["uncertain"]

FOLDS = 5
TRUST = 5.0

Trust = Annotated[
    list[float] | None,
    typer.Option("--trust", min=0.01, help=f"In the annotators, {TRUST:g} if not given. May be repeated."),
]


def uncertain(
    data: Data,
    *,
    experts: ExpertNames = None,
    trust: Trust = None,
    embedder: EmbedderName = "minilm",
    folds: Folds = FOLDS,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """Accuracy where annotators disagree on what is right, and how sure they are.

    Whose answers: those of the records' drafts, by expert; where there are none, those of a router that learns on the
    other folds what most annotators said. --embedder none leaves the router out.

    Example: orchestrator eval uncertain varierr:../shared/data/lewidi3 --trust 1 --trust 5 --trust 20
    """
    from eval.suites.uncertain import judge_uncertain

    with judging() as progress:
        datasets = opened(data, progress)
        routable = embedder != NO_EMBEDDER and not any(record.drafts for data in datasets for record in data.records)
        findings = judge_uncertain(
            datasets,
            embedder=stored_embedder(embedder, progress) if routable else None,
            experts=names_of(experts),
            trust=tuple(dict.fromkeys(trust or (TRUST,))),
            folds=folds or FOLDS,
            seed=seed,
            progress=progress,
        )
        finish(findings, json_file=json_file, report=report)
