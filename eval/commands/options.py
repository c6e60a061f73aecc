"""Arguments that several suites share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Config",
    "Data",
    "DataOrTest",
    "EmbedderName",
    "ExpertNames",
    "Folds",
    "JsonFile",
    "ReportFolder",
    "Seed",
    "TestData",
    "TrainData",
    "names_of",
]

SPEC = "reader:path, as mmlu-pro:preds.jsonl.gz, or a JSONL file of records"

Data = Annotated[list[str], typer.Argument(help=f"What to judge by: {SPEC}. Several are judged together.")]
DataOrTest = Annotated[list[str] | None, typer.Argument(help=f"What to judge by: {SPEC}; the same as --test.")]
TrainData = Annotated[list[str] | None, typer.Option("--train", help=f"Learn from this: {SPEC}. May be repeated.")]
TestData = Annotated[list[str] | None, typer.Option("--test", help="Judge by this, after --train. May be repeated.")]
Folds = Annotated[int | None, typer.Option("--folds", min=2, help="Learn from the data itself, each fold judged once.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of folds, ties and intervals; the same seed, the same file.")]
ExpertNames = Annotated[str | None, typer.Option("--experts", help="Only these, separated by commas.")]
EmbedderName = Annotated[str, typer.Option("--embedder", help="A packaged alias, a path or a hub id.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write every figure, with what `eval compare` needs; - for stdout.")
]
ReportFolder = Annotated[Path | None, typer.Option("--report", help="Write report.html and report.md there.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration.")]


def names_of(experts: str | None) -> tuple[str, ...] | None:
    """`a,b,c` as names, in order, each once; None for all."""
    if experts is None:
        return None
    return tuple(dict.fromkeys(name.strip() for name in experts.split(",") if name.strip()))
