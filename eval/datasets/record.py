"""The one record that every data set is turned into: a query and what is known of it. One JSON object a line.

Only `id` and `query` are always there; a suite says which of the others it needs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = ["Draft", "Outcome", "Passage", "Record", "ToolSpec"]

Share = Annotated[float, Field(ge=0, le=1)]
Tied = Annotated[tuple[str, ...], Field(min_length=1)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Outcome(_Value):
    """How one expert did on the query: graded, not what it said.

    score: 0 (wrong) to 1 (right). cost_usd: of this query. latency_s: until the whole answer.
    """

    score: Share
    cost_usd: float | None = Field(default=None, ge=0)
    latency_s: float | None = Field(default=None, ge=0)


class Draft(_Value):
    """What one expert said. `answer` is what was extracted from the text, None where nothing could be."""

    text: str | None = None
    answer: str | None = None


class Passage(_Value):
    """A judged document; `relevance` is 0 (not relevant) and up. `text` may stand in the data set's corpus instead."""

    document: str
    relevance: float = Field(ge=0)
    title: str = ""
    text: str | None = None


class ToolSpec(_Value):
    """A tool that can be chosen; `parameters` is its JSON Schema."""

    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class Record(_Value):
    """One query.

    options: of a multiple-choice question, in order. category: the kind of query it truly is. in_scope: false where
    no category is right. gold: the right answer (an option's letter, a number as text, ...). outcomes, drafts: by
    expert. tools: those to choose from; right_tools: those that answer it (none: it needs no tool). labels: by
    annotator, each a list of what that person held to be right, best first; labels held to be equally right stand
    together in a list of their own, as ["neutral", ["entailment", "contradiction"]].
    arrival_s, input_tokens, output_tokens: of load traces, seconds since the trace began.
    """

    id: str = Field(min_length=1)
    query: str
    options: tuple[str, ...] = ()
    category: str | None = None
    in_scope: bool = True
    gold: str | None = None
    outcomes: dict[str, Outcome] = Field(default_factory=dict)
    drafts: dict[str, Draft] = Field(default_factory=dict)
    passages: tuple[Passage, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    right_tools: tuple[str, ...] | None = None
    labels: dict[str, tuple[str | Tied, ...]] = Field(default_factory=dict)
    split: str | None = Field(default=None, description="train, val, test or as the source names it")
    source: str = Field(default="", description="where it stands, as file:line or file:id, for messages")
    arrival_s: float | None = Field(default=None, ge=0)
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
