"""MMLU-Pro: multiple-choice questions of 14 categories, what many models chose, and some models' full texts.

Source: TIGER-AI-Lab/MMLU-Pro @ f418b116, folder `eval_results`. Licence: Apache-2.0.
Layout here: JSONL (plain or gzip) of two kinds, told apart by their columns. Choices: question_id, category, src,
question, options, answer (a letter), pred {model: letter or null}. Drafts: question_id, drafts {model: {pred, text}}.
A folder joins both; the drafts' file alone gives records without question and gold.
In the original: a JSON list a model, `model_outputs_<model>_5shots.json` (unpack the zip) or a folder `<model>/` of
`<category>_result.json`, with pred and the text in `model_outputs` or `response`; a folder of them is joined by id.
Traps:
- pred null: the answer could not be parsed. The draft has no answer and the outcome is 0. The official board takes a
  random letter instead, so weak models come out up to two points lower here.
- A model that is missing from pred was not asked: it has no draft and no outcome.
- A letter beyond the options is an answer, and wrong.
- Some question texts repeat under different ids: kept and noted; split by the text.
- Questions whose text or gold differs between the original's files are skipped.
- Over half of the questions stand in RouteLLM's MMLU files too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase

from eval.datasets.assembly import Join, assemble
from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.lines import Content, Row, files_of, json_lines, json_list, stem_of
from eval.datasets.lines import read as read_content
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Draft, Outcome, Record

__all__ = ["read"]

TEXT_COLUMNS = ("model_outputs", "response", "generated_text")
PATTERNS = ("*.jsonl", "*.jsonl.gz", "model_outputs_*.json", "model_outputs_*.json.gz", "*_result.json")


@dataclass(slots=True)
class _Found:
    """Rows by what they hold; `drafts` and `questions` by question id."""

    join: Join
    questions: list[Row] = field(default_factory=list)
    drafts: dict[str, Row] = field(default_factory=dict)


def read(path: Path) -> Dataset:
    """One file of choices, drafts or a model's results, or the folder of them, joined; raises DataError."""
    problems = Problems()
    found = _Found(Join(agree=("question", "options", "answer")))
    for file in files_of(path, *PATTERNS):
        content = read_content(file, problems)
        if content.data.lstrip().startswith(b"["):
            _add_results(content, _expert_of(file), found.join, problems)
        else:
            _sort(json_lines(content, problems), found, problems)
    questions = [*found.questions, *found.join.joined("drafts")]
    records: list[Record] = []
    for row in questions:
        with problems.at(row.place):
            records.append(_question(row, found.drafts.pop(row.identity("question_id"), None)))
    skipped = list(found.join.skipped.values())
    for identity, row in found.drafts.items():
        if questions:
            skipped.append(Skipped(row.place, f"drafts of {identity!r}, which has no question here"))
            continue
        with problems.at(row.place):
            records.append(Record(id=identity, query="", drafts=_drafts(row), source=row.place))
    return assemble(str(path), records, problems, skipped=skipped, notes=_notes(records))


def _sort(rows: Iterable[Row], found: _Found, problems: Problems) -> None:
    for row in rows:
        if "drafts" not in row.values or "question" in row.values:
            found.questions.append(row)
            continue
        with problems.at(row.place):
            identity = row.identity("question_id")
            if identity in found.drafts:
                raise Wrong(f"duplicate id {identity!r}: it stands already at {found.drafts[identity].place}")
            found.drafts[identity] = row


def _expert_of(file: Path) -> str:
    stem = stem_of(file)
    if stem.endswith("_result"):
        return file.parent.name or stem
    return stem.removeprefix("model_outputs_").removesuffix("_5shots")


def _add_results(content: Content, expert: str, join: Join, problems: Problems) -> None:
    for row in json_list(content, problems):
        with problems.at(row.place):
            column = next((column for column in TEXT_COLUMNS if column in row.values), None)
            text = row.text_or_none(column) if column else None
            entry = {"pred": row.text_or_none("pred"), "text": text}
            join.add(row.identity("question_id"), expert=expert, row=row, entry=entry)


def _question(row: Row, drafts_row: Row | None) -> Record:
    options, gold = row.texts("options"), row.text("answer")
    if gold not in list(ascii_uppercase[: len(options)]):
        raise Wrong(f"answer: {gold!r} is the letter of none of the {len(options)} options")
    drafts = _drafts(row) if "drafts" in row.values else _choices(row)
    if drafts_row:
        _join(drafts, drafts_row)
    return Record(
        id=row.identity("question_id"),
        query=row.text("question"),
        options=options,
        category=row.identity("category"),
        gold=gold,
        drafts=drafts,
        outcomes={expert: Outcome(score=float(draft.answer == gold)) for expert, draft in drafts.items()},
        source=row.place,
    )


def _choices(row: Row) -> dict[str, Draft]:
    choices = row.row("pred")
    return {expert: Draft(answer=choices.text_or_none(expert)) for expert in choices.values}


def _join(drafts: dict[str, Draft], row: Row) -> None:
    """Put the texts of `row` beside the choices, which have to be the same."""
    for expert, draft in _drafts(row).items():
        if expert in drafts and drafts[expert].answer != draft.answer:
            raise Wrong(f"pred of {expert!r} is not the one at {row.place}")
        drafts[expert] = draft


def _drafts(row: Row) -> dict[str, Draft]:
    drafts = row.row("drafts")
    return {
        expert: Draft(text=drafts.row(expert).text_or_none("text"), answer=drafts.row(expert).text_or_none("pred"))
        for expert in drafts.values
    }


def _notes(records: list[Record]) -> list[str]:
    silent = sum(draft.answer is None for record in records for draft in record.drafts.values())
    notes = [f"{silent} predictions are null: they count as wrong, not as a random guess"] if silent else []
    if records and all(record.gold is None for record in records):
        notes.append("drafts alone, without questions and gold answers: read their folder to join them")
    return notes
