"""RouterBench: eleven models' scores, answers and dollar costs on public tasks, in RouterDC's training split.

Source: shuhao02/RouterDC @ 0e63989c (no licence file); RouterBench itself: MIT.
Layout, here and in the original: one CSV a task (`arc_challenge_train.csv`, plain or gzip): sample_id, prompt,
eval_name, a score column an expert, `<expert>|model_response`, `<expert>|total_cost` (dollars of this query),
oracle_model_to_route_to. RouterBench's own release is a pickle, which can run code and is not read.
Traps:
- Prompts and responses are Python literals, a list around the text.
- ARC's and Winogrande's prompts begin with five solved examples, the same kind for every row, although the folder is
  called zero-shot; only the last block, the one that ends in "Answer:", is the query. Otherwise all queries look alike.
- Rows without a score (NaN, an empty cell) for some expert are skipped; sample ids repeat among them.
- `oracle_model_to_route_to` is derived (and "no_model_correct" no expert): it is not read.
"""

from __future__ import annotations

import ast
import math
import warnings
from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.lines import Row, csv_rows, files_of, stem_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Draft, Outcome, Record

__all__ = ["read"]

COST, RESPONSE = "|total_cost", "|model_response"
LONGEST_CELL = 1 << 18
"""Characters of a Python literal: the longest at hand has 16,000, and parsing takes a thousand times that in memory."""
SPLITS = ("train", "val", "test")


def read(path: Path) -> Dataset:
    """One task's file, or a folder of them; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    skipped: list[Skipped] = []
    for file in files_of(path, "*.csv", "*.csv.gz"):
        split = stem_of(file).rpartition("_")[2]
        for row in csv_rows(file, problems, columns=["sample_id", "prompt", "eval_name"]):
            with problems.at(row.place):
                experts = [column.removesuffix(COST) for column in row.values if column.endswith(COST)]
                if not experts:
                    raise Wrong(f"no column '<expert>{COST}'")
                if unscored := [expert for expert in experts if _is_nan(row.text(expert))]:
                    skipped.append(Skipped(row.place, f"no score for {', '.join(unscored)}"))
                else:
                    records.append(_record(row, experts, split if split in SPLITS else None))
    return assemble(str(path), records, problems, skipped=skipped)


def _record(row: Row, experts: list[str], split: str | None) -> Record:
    return Record(
        id=row.identity("sample_id"),
        query=_without_examples(_literal(row, "prompt")),
        category=row.identity("eval_name"),
        outcomes={expert: Outcome(score=row.number(expert), cost_usd=_cost(row, expert)) for expert in experts},
        drafts={
            expert: Draft(text=_literal(row, expert + RESPONSE))
            for expert in experts
            if expert + RESPONSE in row.values
        },
        split=split,
        source=row.place,
    )


def _without_examples(prompt: str) -> str:
    return prompt.rsplit("\n\n", maxsplit=1)[-1] if prompt.rstrip().endswith("Answer:") else prompt


def _literal(row: Row, column: str) -> str:
    """The text in a cell that holds a Python list of texts."""
    if len(row.text(column)) > LONGEST_CELL:
        raise Wrong(f"{column}: longer than {LONGEST_CELL} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            value = ast.literal_eval(row.text(column).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise Wrong(f"{column}: expected a Python list of texts, found {row.text(column)[:40]!r}") from None
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise Wrong(f"{column}: expected a Python list of texts, found {row.text(column)[:40]!r}")
    return value[0]


def _cost(row: Row, expert: str) -> float | None:
    if _is_nan(row.text(expert + COST)):
        return None
    cost = row.number(expert + COST)
    if not math.isfinite(cost):
        raise Wrong(f"{expert + COST}: expected dollars, found {cost}")
    return cost


def _is_nan(cell: str) -> bool:
    return cell.strip().lower() in {"", "nan"}
