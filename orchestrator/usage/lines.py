"""The lines of a usage file: one a decision, one a feedback. What stands in them, and reading them back.

Later lines win: of several feedbacks on one expert's part in one decision the last one counts. A line that was cut (the
process was killed, the disk was full) is passed over and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestrator.decision import Decision, Method
from orchestrator.errors import RunError

__all__ = ["Call", "DecisionLine", "FeedbackLine", "UsageSet", "decision_line", "read_usage", "writable"]

Share = Annotated[float, Field(ge=0, le=1)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    version: Literal[1] = 1
    time: datetime

    def encoded(self) -> bytes:
        """As it stands in the file, without the line's end; what is not known is left out."""
        return self.model_dump_json(exclude_none=True).encode()


class Call(BaseModel):
    """One call of one expert."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    expert: str
    role: Literal["answer", "draft", "score", "verdict"]
    outcome: Literal["answered", "failed", "cancelled"]
    cost_usd: float = 0.0


class DecisionLine(_Line):
    """What is kept of a decision. query: only where content is kept.

    familiarity: what the gate measured, gate: the test that fired. set_size: categories in the category set.
    expert: whose words the answer is. outcome: left is a client that did not wait.
    """

    kind: Literal["decision"] = "decision"
    id: str
    model: str
    method: Method | None = None
    category: str | None = None
    top: str | None = None
    confidence: Share | None = None
    familiarity: float | None = None
    gate: str | None = None
    set_size: int | None = None
    plan: Literal["single", "fuse"] | None = None
    calls: tuple[Call, ...] = ()
    expert: str | None = None
    outcome: Literal["answered", "failed", "left"]
    error: str | None = None
    cost_usd: float = 0.0
    total_ms: float = 0.0
    query: str | None = None


class FeedbackLine(_Line):
    """What somebody thinks of a decision. score: of the expert's part, 0 (wrong) to 1 (right).

    category: where the query belongs. comment: only where content is kept.
    """

    kind: Literal["feedback"] = "feedback"
    decision: str
    expert: str | None = None
    score: Share | None = None
    category: str | None = None
    comment: str | None = None


_LINES: TypeAdapter[DecisionLine | FeedbackLine] = TypeAdapter(
    Annotated[DecisionLine | FeedbackLine, Field(discriminator="kind")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSet:
    """A usage file, read. decisions: by id, oldest first. feedback: by decision and expert, the last of each.

    unreadable: places of lines that could not be read, as file:line.
    """

    decisions: Mapping[str, DecisionLine]
    feedback: Mapping[tuple[str, str | None], FeedbackLine]
    unreadable: tuple[str, ...]

    def corrected(self) -> dict[str, str]:
        """The category that feedback gave, by decision."""
        return {line.decision: line.category for line in self.feedback.values() if line.category is not None}

    def scores(self) -> dict[str, dict[str, float]]:
        """Scores by decision and expert."""
        scores: dict[str, dict[str, float]] = {}
        for line in self.feedback.values():
            if line.score is not None and line.expert is not None:
                scores.setdefault(line.decision, {})[line.expert] = line.score
        return scores


def decision_line(decision: Decision) -> DecisionLine:
    """What is kept of a decision; of one without content, no content."""
    stage, chosen = decision.categorize, decision.choose
    gate = stage.gate if stage else None
    ended: Literal["failed", "left"] = "failed" if decision.error else "left"
    return DecisionLine(
        time=decision.created,
        id=decision.id,
        model=decision.model,
        method=stage.method if stage else None,
        category=stage.category if stage else None,
        top=stage.top if stage else None,
        confidence=stage.confidence if stage else None,
        familiarity=gate.value if gate else None,
        gate=gate.fired if gate else None,
        set_size=len(stage.category_set) if stage and stage.method == "router" else None,
        plan=chosen.plan if chosen else None,
        calls=tuple(
            Call(expert=call.expert, role=call.role, outcome=call.outcome, cost_usd=call.cost_usd)
            for call in decision.attempts
        ),
        expert=decision.expert,
        outcome="answered" if decision.verdict and not decision.error else ended,
        error=decision.error.kind if decision.error else None,
        cost_usd=decision.cost_usd,
        total_ms=decision.total_ms,
        query=None if decision.query is None else writable(decision.query),
    )


def writable(text: str) -> str:
    """The text without what no file of UTF-8 can hold: lone surrogates, which JSON may bring in."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read_usage(path: Path) -> UsageSet:
    """Everything in a usage file, also while it is written.

    Raises:
        RunError: the file cannot be read.

    """
    decisions: dict[str, DecisionLine] = {}
    feedback: dict[tuple[str, str | None], FeedbackLine] = {}
    unreadable: list[str] = []
    try:
        with path.open("rb") as lines:
            for number, raw in enumerate(lines, start=1):
                if not raw.strip():
                    continue
                try:
                    line = _LINES.validate_json(raw)
                except ValidationError:
                    unreadable.append(f"{path}:{number}")
                    continue
                if isinstance(line, DecisionLine):
                    decisions[line.id] = line
                else:
                    key = (line.decision, line.expert)
                    feedback.pop(key, None)  # the later one stands where it came
                    feedback[key] = line
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); usage.file names the file to keep") from error
    return UsageSet(decisions=decisions, feedback=feedback, unreadable=tuple(unreadable))
