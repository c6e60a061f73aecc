"""Our own records: JSONL, plain or gzip, one `eval.datasets.record.Record` a line.

A column that the schema does not know is an error, not ignored. `source` becomes the place in this file; a row without
an `id` is known by it, as queries.jsonl:12.
"""

from __future__ import annotations

from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset
from eval.datasets.lines import files_of, json_lines
from eval.datasets.problems import Problems
from eval.datasets.record import Record

__all__ = ["read"]


def read(path: Path) -> Dataset:
    """The records of a file, or of all `.jsonl` files of a folder; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    for file in files_of(path, "*.jsonl", "*.jsonl.gz"):
        for row in json_lines(file, problems):
            with problems.at(row.place):
                known_by = {"id": Path(row.place).name}
                records.append(Record.model_validate({**known_by, **row.values, "source": row.place}))
    return assemble(str(path), records, problems)
