"""Which records are asked, and the text that is sent for each. Asks nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eval.datasets import DataError, Dataset, Record
from eval.datasets.problems import Problems
from eval.grading import Method, gold_letter, method_of, true_category
from eval.runs import query_ids
from orchestrator.config import Config
from orchestrator.stages.choose import ALIASES
from routers.fusion.extraction import LETTERS

__all__ = ["Question", "questions_of", "sampled", "text_sent"]

INSTRUCTION = 'Choose one option. End your reply with "Answer: X", where X is the letter of that option.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A record under its id in the run. category: where it belongs, None where the configuration has none such."""

    id: str
    record: Record
    method: Method
    category: str | None

    @property
    def text(self) -> str:
        """What is sent."""
        return text_sent(self.record)


def text_sent(record: Record) -> str:
    """The query; where it has options, these with their letters, and how the choice is to be told."""
    if not record.options:
        return record.query
    options = "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, record.options, strict=False))
    return f"{record.query}\n\n{options}\n\n{INSTRUCTION}"


def sampled(datasets: Sequence[Dataset], *, limit: int | None, seed: int) -> list[Dataset]:
    """The data sets with `limit` of their records in all, in their order.

    By a hash of the seed and the id, so that of a longer data set mostly the same ones are drawn.
    """
    ids = query_ids(datasets)
    if limit is None or limit >= len(ids):
        return list(datasets)
    drawn = set(sorted(ids, key=lambda identity: hashlib.sha256(f"{seed}\0{identity}".encode()).digest())[:limit])
    left = iter(ids)
    kept = [replace(one, records=tuple(record for record in one.records if next(left) in drawn)) for one in datasets]
    return [dataset for dataset in kept if dataset.records]


def questions_of(datasets: Sequence[Dataset], config: Config, *, model: str) -> list[Question]:
    """The questions that the records are.

    Raises:
        DataError: records that cannot be graded with this configuration and model, each with its place.
    """
    problems = Problems()
    questions: list[Question] = []
    records = [record for dataset in datasets for record in dataset.records]
    seen: set[str] = set()
    for identity, record in zip(query_ids(datasets), records, strict=True):
        method = method_of(record)
        if objection := _objection(record, method, config, model=model):
            problems.add(record.source or record.id, objection)
        elif identity in seen:
            problems.add(record.source or record.id, f"duplicate id {identity!r}: the same data is given twice")
        elif method is not None:
            truth = true_category(record, general=config.general)
            category = truth if truth in config.categories else None
            questions.append(Question(id=identity, record=record, method=method, category=category))
        seen.add(identity)
    problems.check()
    if not questions:
        raise DataError(["there is no record to ask"])
    return questions


def _objection(record: Record, method: Method | None, config: Config, *, model: str) -> str:
    """Why a record cannot be graded; empty when it can."""
    objection = "" if record.query.strip() else "query: is empty"
    match method:
        case None:
            objection = "there is nothing to grade by; it needs gold, passages, right_tools or category"
        case "choice" if len(record.options) > len(LETTERS):
            objection = f"options: {len(record.options)}, at most {len(LETTERS)} have a letter"
        case "choice" if gold_letter(record) is None:
            objection = f"gold: {record.gold!r} is neither an option nor its letter"
        case "tool" if not set(record.right_tools or ()) & set(config.experts):
            objection = f"right_tools: none of them is an expert of the configuration ({', '.join(config.experts)})"
        case "category" if model not in ALIASES:
            objection = f"it has nothing but a category to grade by, and with --model {model} nothing is classified"
        case "category" if record.in_scope and record.category not in config.categories:
            objection = f"category: {record.category!r} is none of the configuration ({', '.join(config.categories)})"
    return objection
