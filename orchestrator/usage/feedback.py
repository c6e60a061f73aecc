"""Feedback on a decision: what a client may say, checked against the decision itself. The same for REST and MCP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.decision import Decision
from orchestrator.errors import FeedbackOff, InvalidRequest, UnknownDecision
from orchestrator.usage.lines import FeedbackLine, writable

if TYPE_CHECKING:  # its import takes longer than agents should wait to be greeted
    from orchestrator.engine import Engine

__all__ = ["Accepted", "accept"]

RATINGS = {"up": 1.0, "down": 0.0}
MOST_COMMENT = 4_000


class Accepted(BaseModel):
    """Feedback as it was taken."""

    model_config = ConfigDict(frozen=True)

    object: Literal["feedback"] = "feedback"
    decision: str
    expert: str | None = Field(description="whose part was judged")
    score: float | None
    category: str | None = Field(description="where the query belongs, if that was said")
    comment_kept: bool = Field(description="comments are only kept where the configuration says usage.content")
    repeated: bool = Field(description="the same was said before")


async def accept(engine: Engine, body: Mapping[str, Any]) -> Accepted:
    """Check feedback and hand it on to be kept.

    body: {"decision", "score" or "rating" and/or "category", "expert", "comment"}.

    Raises:
        FeedbackOff: the configuration names no file.
        UnknownDecision: none of that id is kept any more.
        InvalidRequest: the feedback says nothing, or something that cannot be.
        RunError: there is no room for it now.

    """
    if engine.usage is None and engine.store is None:
        raise FeedbackOff("Feedback is not kept here: the configuration names no usage.file and no serve.store.")
    decision = await _decision(engine, body.get("decision"))
    comment = _comment(body.get("comment"))  # checked whatever the configuration: a mistake is a mistake
    line = FeedbackLine(
        time=datetime.now(UTC),
        decision=decision.id,
        expert=_expert(decision, body.get("expert")),
        score=_score(body),
        category=_category(engine, body.get("category")),
        comment=comment if _keeps_content(engine) else None,
    )
    if line.score is None and line.category is None:
        raise InvalidRequest("Give 'score' (0 to 1), 'rating' ('up' or 'down') or 'category'.", param="score")
    if line.score is not None and line.expert is None:
        raise InvalidRequest("No expert answered this decision; give 'expert' or 'category' alone.", param="expert")
    sent_to = decision.categorize.category if decision.categorize else None
    changed = engine.usage is None or engine.usage.told(line, category=sent_to)
    if engine.store is not None and changed:
        engine.store.told(line)
    return Accepted(
        decision=decision.id,
        expert=line.expert,
        score=line.score,
        category=line.category,
        comment_kept=line.comment is not None,
        repeated=not changed,
    )


def _keeps_content(engine: Engine) -> bool:
    """Whether the comments of feedback are kept."""
    return engine.config.serve.content if engine.usage is None else engine.usage.content


async def _decision(engine: Engine, decision_id: object) -> Decision:
    if not isinstance(decision_id, str) or not decision_id:
        raise InvalidRequest(
            "'decision' must be the id of a decision (header x-orchestrator-decision-id).", param="decision"
        )
    found = await engine.decision(decision_id)
    if found is None:
        raise UnknownDecision("No decision of that id is kept.", param="decision")
    return found


def _expert(decision: Decision, given: object) -> str | None:
    if given is None:
        return decision.expert
    asked = list(dict.fromkeys(attempt.expert for attempt in decision.attempts))
    if given not in asked:
        raise InvalidRequest(
            f"'expert' must be one that was asked for this decision: {', '.join(asked) or 'none was'}.", param="expert"
        )
    return str(given)


def _score(body: Mapping[str, Any]) -> float | None:
    score, rating = body.get("score"), body.get("rating")
    if score is not None and rating is not None:
        raise InvalidRequest("Give 'score' or 'rating', not both.", param="rating")
    if rating is not None:
        if not isinstance(rating, str) or rating not in RATINGS:
            raise InvalidRequest("'rating' must be 'up' or 'down'.", param="rating")
        return RATINGS[rating]
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1 or math.isnan(score):
        raise InvalidRequest("'score' must be a number from 0 (wrong) to 1 (right).", param="score")
    return float(score)


def _category(engine: Engine, given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or given not in engine.config.categories:
        known = ", ".join(engine.config.categories)
        raise InvalidRequest(f"'category' must be one of {known}.", param="category")
    return given


def _comment(given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > MOST_COMMENT:
        raise InvalidRequest(f"'comment' must be a text of at most {MOST_COMMENT} characters.", param="comment")
    return writable(given)
