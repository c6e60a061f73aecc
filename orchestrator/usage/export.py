"""From a usage file to what `orchestrator train` learns from: examples by category, and graded outcomes by expert.

Only what somebody said counts: a category that was given, a score that was given. A good score for an answer does not
make an example of its query, since an expert may answer well what was sent to it by mistake.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.config import Config
from orchestrator.errors import RunError
from orchestrator.usage.lines import DecisionLine, UsageSet
from routers.examples import Example, same_text
from routers.mapping.graded import FUSE, Graded

__all__ = ["Exported", "examples_from", "outcomes_from", "write_lines"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Rows for a file. new: of them from use. passed_over: what could not be used, by reason, with how often."""

    rows: tuple[Row, ...]
    new: int
    passed_over: Mapping[str, int]


def examples_from(usage: UsageSet, config: Config, *, known: Sequence[Example] = ()) -> Exported:
    """{query, category} of every decision whose category was told and whose query was kept.

    Of two that say the same, in case and blanks alone different, the later told counts. known: examples that go along;
    what was told counts more than they do.
    """
    reasons: dict[str, int] = {}
    told: dict[str, Row] = {}
    for decision_id, category in usage.corrected().items():
        line = usage.decisions.get(decision_id)
        if category not in config.categories:
            _count(reasons, "the category is not in the configuration")
        elif line is None or not line.query:
            _count(reasons, "the query was not kept (usage.content)")
        else:
            key = same_text(line.query)
            told.pop(key, None)
            told[key] = {"query": line.query, "category": category}
    kept = [{"query": one.query, "category": one.category} for one in known if same_text(one.query) not in told]
    return Exported(rows=(*kept, *told.values()), new=len(told), passed_over=reasons)


def outcomes_from(usage: UsageSet, config: Config, *, known: Sequence[Graded] = ()) -> Exported:
    """{query or category, outcomes} of every decision of which an expert's part was scored.

    The category is the one that was told; else, where the query was kept, the router will find it again in training,
    and else it is the one that the query was sent to. known: graded outcomes that go along.
    """
    reasons: dict[str, int] = {}
    told = usage.corrected()
    rows: list[Row] = []
    for decision_id, scores in usage.scores().items():
        line = usage.decisions.get(decision_id)
        experts = {expert: score for expert, score in scores.items() if expert in config.experts}
        if len(experts) < len(scores):
            _count(reasons, "the expert is not in the configuration")
        if line is None:
            _count(reasons, "its decision is not in the file")
        elif experts:
            row = _outcome(line, experts, told.get(decision_id), config)
            if row is None:
                _count(reasons, "neither its query nor its category is known")
            else:
                rows.append(row)
    return Exported(rows=(*map(_graded_row, known), *rows), new=len(rows), passed_over=reasons)


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """Replace a JSONL file; the old one stands until the new one is whole.

    Raises:
        RunError: it cannot be written.

    """
    text = "".join(json.dumps(row) + "\n" for row in rows)
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from error


def _outcome(line: DecisionLine, scores: Mapping[str, float], told: str | None, config: Config) -> Row | None:
    category = told or (None if line.query else line.category)
    category = category if category in config.categories else None
    if category is None and not line.query:
        return None
    return {
        **({"query": line.query} if line.query else {}),
        **({"category": category} if category else {}),
        "outcomes": {
            expert: {
                "score": score,
                "cost_usd": sum(call.cost_usd for call in line.calls if call.expert == expert and call.role != "score"),
            }
            for expert, score in scores.items()
        },
    }


def _graded_row(graded: Graded) -> Row:
    outcomes: dict[str, object] = {expert: _known(asdict(grade)) for expert, grade in graded.outcomes.items()}
    if graded.fused:
        outcomes[FUSE] = [
            _known({"experts": one.experts, "verdict": one.verdict, **asdict(one.grade)}) for one in graded.fused
        ]
    return _known({"query": graded.query, "category": graded.category, "outcomes": outcomes})


def _known(values: Mapping[str, object]) -> Row:
    return {name: value for name, value in values.items() if value is not None}


def _count(reasons: dict[str, int], reason: str) -> None:
    reasons[reason] = reasons.get(reason, 0) + 1
