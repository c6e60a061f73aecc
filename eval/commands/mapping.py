"""The verb `orchestrator eval mapping`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eval.commands.embedding import stored_embedder
from eval.commands.options import (
    DataOrTest,
    EmbedderName,
    ExpertNames,
    Folds,
    JsonFile,
    ReportFolder,
    Seed,
    TestData,
    TrainData,
    names_of,
)
from eval.commands.running import finish, judging, opened
from eval.datasets import DataError

__all__ = ["mapping"]

FOLDS = 5

Classifier = Annotated[str, typer.Option("--classifier", help="The kind that predicts categories.")]
BudgetUsd = Annotated[float | None, typer.Option("--budget-usd", min=0, help="USD a query that the plan may cost.")]
ActiveParams = Annotated[
    Path | None, typer.Option("--active-params", help="YAML or JSON: billions of active parameters by expert.")
]
ConfigWithSizes = Annotated[
    Path | None, typer.Option("--config", "-c", help="A configuration whose experts have active_params_b.")
]
Neighbours = Annotated[int, typer.Option("--neighbours", min=1, help="So many nearest queries does knn ask.")]


def mapping(
    data: DataOrTest = None,
    *,
    train: TrainData = None,
    test: TestData = None,
    folds: Folds = None,
    experts: ExpertNames = None,
    embedder: EmbedderName = "minilm",
    classifier: Classifier = "linear",
    budget_usd: BudgetUsd = None,
    active_params: ActiveParams = None,
    config: ConfigWithSizes = None,
    neighbours: Neighbours = 100,
    seed: Seed = 0,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """What it brings to send each query to one expert, and at what cost.

    Needs records with outcomes. Two --experts are the weak and the strong one, in this order.

    Example: orchestrator eval mapping routerbench:../shared/data/routerbench_zs --json mapping.json
    """
    from eval.suites.mapping import judge_mapping

    with judging() as progress:
        if not (judged := [*(data or []), *(test or [])]):
            raise DataError(["nothing to judge by: name DATA, or --test beside --train"])
        if train and folds is not None:
            raise DataError(["routers learn from --train or from --folds, not from both: leave one out"])
        sizes = {**_configured(config), **_listed(active_params)}
        datasets = opened([*(train or []), *judged], progress)
        learned = len(train or [])
        findings = judge_mapping(
            datasets[learned:],
            train=datasets[:learned],
            embedder=stored_embedder(embedder, progress),
            classifier=classifier,
            folds=folds or FOLDS,
            experts=names_of(experts),
            budget_usd=budget_usd,
            active_params_b=sizes,
            neighbours=neighbours,
            seed=seed,
            progress=progress,
        )
        finish(findings, json_file=json_file, report=report)


def _configured(config: Path | None) -> dict[str, float]:
    """Billions of active parameters by expert, of those of a configuration that say so."""
    from orchestrator.cli.options import read_config

    if config is None:
        return {}
    sizes = {name: expert.active_params_b for name, expert in read_config(config).experts.items()}
    return {name: size for name, size in sizes.items() if size is not None}


def _listed(file: Path | None) -> dict[str, float]:
    """The same of a file; raises DataError with all that is wrong with it."""
    if file is None:
        return {}
    content = _content(file)
    if not isinstance(content, dict):
        raise DataError([f"{file}: expected experts with their billions of parameters, as 'small: 7.2' a line"])
    wrong = [name for name, size in content.items() if not _is_size(size)]
    if wrong:
        raise DataError([f"{file}: {name}: {content[name]!r} is no number of billions above 0" for name in wrong])
    return {str(name): float(size) for name, size in content.items()}


def _content(file: Path) -> Any:
    """YAML, of which JSON is a part."""
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError([f"{file}: {error.strerror}"]) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError([f"{file}: neither YAML nor JSON ({' '.join(str(error).split())})"]) from error


def _is_size(size: object) -> bool:
    return isinstance(size, int | float) and not isinstance(size, bool) and 0 < size < float("inf")
