"""Was the answer right? Grades what came back by what a record knows, and says how it read the answer.

Knows no expert and no pipeline: it is given the text, the cited documents, and where the query was sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from eval.datasets import Record
from routers.fusion.extraction import LETTERS, last_number, letter_of, number_alone, plain, said_text

__all__ = ["TOLERANCE", "Came", "Grade", "Method", "gold_letter", "grade", "method_of", "true_category"]

Method: TypeAlias = Literal["choice", "number", "text", "passages", "tool", "category"]
"""How a record is graded, in the order in which it is decided: see `method_of`."""

TOLERANCE = 1e-4
"""Of a number, relative to the right one where that has decimals; a whole number has to be met."""
EXACT = 1e-9
MANY = 6
"""So many documents are named in a grade's texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came back for a query: its text, the documents that it cites, and where the query was sent.

    expert: whose words it is; None where nobody answered. category: None where nothing was classified.
    """

    text: str = ""
    documents: tuple[str, ...] = ()
    category: str | None = None
    expert: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """score: 0 (wrong) to 1 (right). answer: as it was read, None where none could be. expected: the right one."""

    method: Method
    score: float
    answer: str | None
    expected: str


def method_of(record: Record) -> Method | None:
    """What a record can be graded by; None for nothing.

    choice: options and a gold answer. number: the gold answer is a number, with a currency or per cent sign at most.
    text: any other gold answer. passages: documents judged relevant. tool: the tools that answer it, as expert ids.
    category: nothing but the category it belongs to, or that it belongs to none.
    """
    if record.gold is not None:
        if record.options:
            return "choice"
        return "text" if number_alone(record.gold) is None else "number"
    if any(passage.relevance > 0 for passage in record.passages):
        return "passages"
    if record.right_tools:
        return "tool"
    return "category" if record.category is not None or not record.in_scope else None


def true_category(record: Record, *, general: str) -> str | None:
    """Where a query belongs: out of scope is the general category; None where nobody knows."""
    return record.category if record.in_scope else general


def gold_letter(record: Record) -> str | None:
    """The right option's letter, also where the gold answer is the option's text; None where it is neither."""
    gold = (record.gold or "").strip()
    if gold.upper() in set(LETTERS[: len(record.options)]):
        return gold.upper()
    same = [letter for letter, option in zip(LETTERS, record.options, strict=False) if plain(option) == plain(gold)]
    return same[0] if len(same) == 1 else None


def grade(record: Record, came: Came, *, general: str) -> Grade:
    """How good what came back is; raises ValueError for a record that there is nothing to grade by.

    choice: its letter is the right one. number: within `TOLERANCE`. text: the gold answer's words are the answer's,
    or stand in it in their order. passages: share of the relevant documents that are cited. tool: the expert that
    answered is a right one. category: the query was sent to its category.
    """
    method = method_of(record)
    if method is None:
        message = f"{record.source or record.id}: there is nothing to grade by"
        raise ValueError(message)
    if method == "category":
        truth = true_category(record, general=general) or ""
        return Grade(method=method, score=float(came.category == truth), answer=came.category, expected=truth)
    return GRADERS[method](record, came)


def _choice(record: Record, came: Came) -> Grade:
    letter, expected = letter_of(came.text, record.options), gold_letter(record)
    if expected is None:
        message = f"{record.source or record.id}: gold {record.gold!r} is none of the options"
        raise ValueError(message)
    return Grade(method="choice", score=float(letter == expected), answer=letter, expected=expected)


def _number(record: Record, came: Came) -> Grade:
    gold, found = number_alone(record.gold or ""), last_number(came.text)
    right = gold is not None and found is not None and _near(found, gold)
    answer = None if found is None else f"{found:.12g}"
    return Grade(method="number", score=float(right), answer=answer, expected=record.gold or "")


def _text(record: Record, came: Came) -> Grade:
    said, gold = said_text(came.text), record.gold or ""
    held = f" {plain(gold)} "
    right = said is not None and (held in f" {plain(said)} " or held in f" {plain(came.text)} ")
    return Grade(method="text", score=float(right), answer=said, expected=gold)


def _passages(record: Record, came: Came) -> Grade:
    relevant = tuple(dict.fromkeys(passage.document for passage in record.passages if passage.relevance > 0))
    recall = len(set(relevant) & set(came.documents)) / len(relevant)
    answer = _named(came.documents) if came.documents else None
    return Grade(method="passages", score=recall, answer=answer, expected=_named(relevant))


def _tool(record: Record, came: Came) -> Grade:
    right = record.right_tools or ()
    return Grade(method="tool", score=float(came.expert in right), answer=came.expert, expected=" or ".join(right))


GRADERS: Mapping[Method, Callable[[Record, Came], Grade]] = MappingProxyType(
    {"choice": _choice, "number": _number, "text": _text, "passages": _passages, "tool": _tool}
)


def _near(found: float, gold: float) -> bool:
    return math.isclose(found, gold, rel_tol=EXACT if gold.is_integer() else TOLERANCE, abs_tol=EXACT)


def _named(documents: tuple[str, ...]) -> str:
    more = f" and {len(documents) - MANY} more" if len(documents) > MANY else ""
    return ", ".join(documents[:MANY]) + more
