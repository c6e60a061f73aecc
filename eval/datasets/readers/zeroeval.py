"""ZeroEval's GSM8K: grade-school sums, the whole answers of many models.

Source: WildEval/ZeroEval @ 8c1485ed, folder `result_dirs/gsm`. Licence: Apache-2.0.
Layout here: JSONL (plain or gzip), id, question, answer ("# 18"), outputs {model: text}. In the original: a folder
with one `<model>.json` a model, a list of {id, question, answer, output [text], generator}; read too, and joined by id.
Traps:
- A text should end in JSON with `reasoning` and `answer`, but that is often broken, cut off or fenced: it is not parsed
  as JSON. The value of the last "answer" counts, without , and $, of it the first number. That equals the published
  accuracy of most models and is kinder to the Yi family and Phi-3.5, whose JSON is broken most.
- Where there is none, the draft has no answer and the outcome is 0.
- The same questions stand in RouteLLM's GSM8K file.
"""

from __future__ import annotations

import re
from pathlib import Path

from eval.datasets.assembly import Join, assemble
from eval.datasets.dataset import Dataset
from eval.datasets.lines import Content, Row, files_of, json_lines, json_list, stem_of
from eval.datasets.lines import read as read_content
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Draft, Outcome, Record

__all__ = ["extract", "number", "read"]

# A quoted value, or what stands up to the next member; a comma between digits belongs to a number.
ANSWER = re.compile(r'"answer"\s*:\s*("(?:[^"\\]|\\.)*"|(?:[^,}\n]|,(?=[0-9]))*)')
NUMBER = re.compile(r"(-?)([0-9]*)(?:\.([0-9]+))?")


def read(path: Path) -> Dataset:
    """The joined file, one model's file of the original, or a folder of either; raises DataError."""
    problems = Problems()
    rows: list[Row] = []
    join = Join(agree=("question", "answer"))
    for file in files_of(path, "*.jsonl", "*.jsonl.gz", "*.json", "*.json.gz"):
        content = read_content(file, problems)
        if content.data.lstrip().startswith(b"["):
            _add(content, stem_of(file), join, problems)
        else:
            rows += json_lines(content, problems)
    records: list[Record] = []
    for row in [*rows, *join.joined("outputs")]:
        with problems.at(row.place):
            records.append(_record(row))
    silent = sum(draft.answer is None for record in records for draft in record.drafts.values())
    notes = [f"{silent} drafts hold no answer: they count as wrong"] if silent else []
    return assemble(str(path), records, problems, skipped=join.skipped.values(), notes=notes)


def extract(text: str) -> str | None:
    """The number that a model's text gives as its answer, None where there is none."""
    values = ANSWER.findall(text)
    return number(values[-1]) if values else None


def number(text: str) -> str | None:
    """The first number of a text, written one way: no separators, no needless zeros."""
    for match in NUMBER.finditer(text.replace(",", "").replace("$", "")):
        sign, whole, fraction = match[1], match[2], match[3] or ""
        if whole or fraction:
            digits = (whole.lstrip("0") or "0") + (f".{fraction.rstrip('0')}" if fraction.strip("0") else "")
            return digits if digits == "0" else sign + digits
    return None


def _add(content: Content, stem: str, join: Join, problems: Problems) -> None:
    for row in json_list(content, problems):
        with problems.at(row.place):
            outputs = row.texts("output")
            if not outputs:
                raise Wrong("output: is empty")
            expert = row.identity("generator") if "generator" in row.values else stem
            join.add(row.identity("id"), expert=expert, row=row, entry=outputs[0])


def _record(row: Row) -> Record:
    gold = number(row.text("answer"))
    if gold is None:
        raise Wrong(f"answer: expected a number, found {row.text('answer')!r}")
    outputs = row.row("outputs")
    drafts: dict[str, Draft] = {}
    for expert in outputs.values:
        text = outputs.text(expert)
        drafts[expert] = Draft(text=text, answer=extract(text))
    return Record(
        id=row.identity("id"),
        query=row.text("question"),
        gold=gold,
        drafts=drafts,
        outcomes={expert: Outcome(score=float(draft.answer == gold)) for expert, draft in drafts.items()},
        source=row.place,
    )
