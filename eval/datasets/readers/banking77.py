"""BANKING77: customers' questions to a bank, 77 intents.

Source: PolyAI-LDN/task-specific-datasets @ 57ec275d, folder `banking_data`. Licence: CC BY 4.0.
Layout, here and in the original: `train.csv` and `test.csv` with columns text, category; each plain or gzip.
The file's name is the split. Traps: none are known; texts that repeat are noted.
"""

from __future__ import annotations

from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset
from eval.datasets.lines import csv_rows, files_of, stem_of
from eval.datasets.problems import Problems
from eval.datasets.record import Record

__all__ = ["read"]


def read(path: Path) -> Dataset:
    """One split's file, or the folder of both; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    for file in files_of(path, "*.csv", "*.csv.gz"):
        split = stem_of(file)
        for index, row in enumerate(csv_rows(file, problems, columns=["text", "category"])):
            with problems.at(row.place):
                records.append(
                    Record(
                        id=f"{split}-{index}",
                        query=row.text("text"),
                        category=row.identity("category"),
                        split=split,
                        source=row.place,
                    )
                )
    return assemble(str(path), records, problems)
