"""LLMRouter's graded questions: nine models' scores on queries of several public tasks.

Source: ulab-uiuc/LLMRouter @ 4e7a7969. Licence: MIT.
Layout, here and in the original: `dcrouter_train.json` (plain or gzip), one list of {question, scores {model: 0 to 1},
cluster_id}.
Traps: a few scores are fractions (they are kept, nothing is rounded to right or wrong); there is no task field, and
`cluster_id` is what a clustering made of the texts, not a kind of query, so there is no category; about 160 rows are
GSM8K's or MMLU's: do not train here and report there.
"""

from __future__ import annotations

from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset
from eval.datasets.lines import Row, files_of, json_list, stem_of
from eval.datasets.problems import Problems
from eval.datasets.record import Outcome, Record

__all__ = ["read"]

NOTE = "some rows are GSM8K's or MMLU's: do not train on one and report on the other"


def read(path: Path) -> Dataset:
    """One file, or a folder of them; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    for file in files_of(path, "*.json", "*.json.gz"):
        for index, row in enumerate(json_list(file, problems)):
            with problems.at(row.place):
                records.append(_record(row, f"{stem_of(file)}-{index}"))
    return assemble(str(path), records, problems, notes=[NOTE])


def _record(row: Row, identity: str) -> Record:
    scores = row.row("scores")
    return Record(
        id=identity,
        query=row.text("question"),
        outcomes={expert: Outcome(score=scores.number(expert)) for expert in scores.values},
        source=row.place,
    )
