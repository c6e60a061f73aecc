"""BFCL, the Berkeley Function-Calling Leaderboard: requests, each with its own few functions and the right call.

Source: ShishirPatil/gorilla @ 6ea57973, folder `bfcl_eval/data`. Licence: Apache-2.0.
Layout, here and in the original: `BFCL_v4_<kind>.json` (plain or gzip), JSON lines {id, question, function};
`possible_answer/` below it holds files of the same names, {id, ground_truth}, that match by id. The kind is the split.
Traps:
- Live relevance has no answers: some function fits, it is not said which (right_tools None). Irrelevance has none
  because no function fits (right_tools empty). Any other file without answers is an error.
- An answer lists for every argument the values that are accepted, "" among them where it may be left out. `gold` is
  the whole answer as JSON, so that this stands there.
- Types are Python's ("dict", "float", "tuple", "any"): turned into JSON Schema's, but not in a property that is
  itself called "type". A type of another language, or "any", is left out: it restricts nothing.
- A question is a list of turns of messages. The query is what the user says; system messages are left out and noted.
  Rows with several turns, and files of other forms (multi_turn, memory, web_search, …), are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.lines import Row, files_of, json_lines, stem_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Record, ToolSpec

__all__ = ["read"]

VERSION = re.compile(r"BFCL_v[0-9]+_")
ONE_TURN = ("simple", "multiple", "parallel", "relevance")
"""A file of another form has none of these in its name."""

TYPES = {
    "dict": "object", "float": "number", "double": "number", "tuple": "array", "list": "array",
    "bool": "boolean", "int": "integer", "str": "string",
}  # fmt: skip
JSON_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
MAX_DEPTH = 100
"""Of a function's parameters; the deepest in the files at hand has 4."""


def read(path: Path) -> Dataset:
    """One kind's file, or the folder of all; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    skipped: list[Skipped] = []
    instructed = 0
    for file in files_of(path, "BFCL_v*.json", "BFCL_v*.json.gz"):
        kind = VERSION.sub("", stem_of(file))
        if path.is_dir() and not any(form in kind for form in ONE_TURN):
            skipped.append(Skipped(str(file), "its form is not one turn with functions to choose from"))
            continue
        answers = _answers(file, kind, problems)
        asked: set[str] = set()
        for row in json_lines(file, problems):
            with problems.at(row.place):
                asked.add(row.identity("id"))
                turns = _turns(row)
                if len(turns) > 1:
                    skipped.append(Skipped(row.place, f"a conversation of {len(turns)} turns"))
                    continue
                instructed += any(message["role"] == "system" for message in turns[0])
                records.append(_record(row, kind, said=turns[0], answers=answers))
        _note_unasked(answers, asked, problems)
    notes = [f"{instructed} queries come with a system message, which is left out"] if instructed else []
    return assemble(str(path), records, problems, skipped=skipped, notes=notes)


def _answers(file: Path, kind: str, problems: Problems) -> dict[str, Row] | None:
    """By the query's id; None where the kind has none."""
    if "relevance" in kind:
        return None
    name = file.name.removesuffix(".gz")
    answers: dict[str, Row] = {}
    for row in json_lines(files_of(file.parent / "possible_answer", name, f"{name}.gz")[0], problems):
        with problems.at(row.place):
            first = answers.setdefault(row.identity("id"), row)
            row.rows("ground_truth")  # what is wrong with it is said here, where it stands
            if first is not row:
                raise Wrong(f"duplicate id {row.identity('id')!r}: it stands already at {first.place}")
    return answers


def _turns(row: Row) -> list[list[Row]]:
    turns = row["question"]
    if not isinstance(turns, list) or not turns:
        raise Wrong("question: expected a list of turns")
    return [Row(row.place, {"messages": turn}).rows("messages") for turn in turns]


def _record(row: Row, kind: str, *, said: list[Row], answers: Mapping[str, Row] | None) -> Record:
    query = "\n".join(message.text("content") for message in said if message["role"] == "user")
    if not query.strip():
        raise Wrong("question: the user says nothing")
    tools = tuple(_tool(function) for function in row.rows("function"))
    right: tuple[str, ...] | None = () if "irrelevance" in kind else None
    gold = None
    if answers is not None:
        identity = row.identity("id")
        if identity not in answers:
            raise Wrong(f"no answer to {identity!r} in possible_answer")
        right, gold = _right(answers[identity], [tool.name for tool in tools])
    return Record(
        id=row.identity("id"), query=query, tools=tools, right_tools=right, gold=gold, split=kind, source=row.place
    )


def _tool(function: Row) -> ToolSpec:
    return ToolSpec(
        name=function.identity("name"),
        description=function.text("description"),
        parameters=_schema(function.row("parameters").values),
    )


def _right(answer: Row, names: list[str]) -> tuple[tuple[str, ...], str]:
    """The functions to call, once each, and the whole answer as JSON."""
    called = [name for call in answer.rows("ground_truth") for name in call.values]
    if not called:
        raise Wrong(f"no call in the answer at {answer.place}")
    for name in called:
        if name not in names:
            said = f"the answer at {answer.place} calls {name!r}, which is no function"
            raise Wrong(said, unknown=name, known=names)
    try:
        gold = orjson.dumps(answer["ground_truth"]).decode()
    except orjson.JSONEncodeError as error:
        raise Wrong(f"the answer at {answer.place} cannot be kept: {error}") from None
    return tuple(dict.fromkeys(called)), gold


def _schema(described: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """The JSON Schema of a parameter, or of all of a function's."""
    if depth > MAX_DEPTH:
        raise Wrong(f"function: parameters are nested deeper than {MAX_DEPTH}")
    schema = dict(described)
    if "type" in schema:
        declared = schema.pop("type")
        known = TYPES.get(declared, declared) if isinstance(declared, str) else None
        if known in JSON_TYPES:
            schema["type"] = known
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _schema(schema[key], depth + 1)
    if isinstance(schema.get("properties"), dict):
        schema["properties"] = {
            name: _schema(inner, depth + 1) if isinstance(inner, dict) else inner
            for name, inner in schema["properties"].items()
        }
    return schema


def _note_unasked(answers: Mapping[str, Row] | None, asked: set[str], problems: Problems) -> None:
    for identity, row in (answers or {}).items():
        if identity not in asked:
            problems.add(row.place, f"an answer to {identity!r}, which is no query of this kind")
