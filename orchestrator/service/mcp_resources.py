"""What agents can read beside calling tools: the experts, the categories, and the latest decisions, all as JSON.

`orchestrator://experts` and the like list what there is, `orchestrator://experts/ID` tells of one. Decisions are
without content. Knows no transport.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mcp_types import Resource, ResourceTemplate
from pydantic import BaseModel, Field

from orchestrator.decision import Decision
from orchestrator.service.catalogue import ExpertShown, shown

if TYPE_CHECKING:  # its import takes longer than agents should wait to be greeted
    from orchestrator.engine import Engine

__all__ = ["JSON", "RESOURCES", "TEMPLATES", "Catalogue", "Categories", "CategoryShown", "Decided", "Decisions", "read"]

JSON = "application/json"
SCHEME = "orchestrator://"
LISTED_DECISIONS = 100
"""Of the latest decisions those that the list names; the others can be read by their id while they are kept."""


class Catalogue(BaseModel):
    """All experts, in the order of the configuration."""

    experts: list[ExpertShown]


class CategoryShown(BaseModel):
    """One category of queries."""

    name: str
    description: str
    experts: list[str] = Field(description="who may answer its queries, in the order of the configuration")
    general: bool = Field(description="whether it takes what belongs to none of the others")


class Categories(BaseModel):
    """All categories, in the order of the configuration."""

    categories: list[CategoryShown]


class Decided(BaseModel):
    """One line of the list of decisions."""

    id: str
    created: str
    model: str
    category: str | None
    expert: str | None
    error: str | None
    cost_usd: float
    total_ms: float


class Decisions(BaseModel):
    """The latest decisions, newest first."""

    decisions: list[Decided]


def read(engine: Engine, uri: str) -> str | None:
    """The JSON text at an address; None where there is nothing."""
    if not uri.startswith(SCHEME):
        return None
    name, _, key = uri.removeprefix(SCHEME).partition("/")
    if key:
        find = _ONE.get(name)
        found = find(engine, key) if find else None
    else:
        every = _ALL.get(name)
        found = every(engine) if every else None
    return None if found is None else found.model_dump_json()


def _experts(engine: Engine) -> Catalogue:
    return Catalogue(experts=[shown(engine, expert) for expert in engine.registry])


def _expert(engine: Engine, key: str) -> ExpertShown | None:
    return shown(engine, key) if key in set(engine.registry) else None


def _categories(engine: Engine) -> Categories:
    return Categories(
        categories=[
            CategoryShown(
                name=name,
                description=block.description,
                experts=list(block.experts),
                general=name == engine.config.general,
            )
            for name, block in engine.config.categories.items()
        ]
    )


def _decisions(engine: Engine) -> Decisions:
    return Decisions(decisions=[_line(decision) for decision in engine.decisions.latest(LISTED_DECISIONS)])


def _decision(engine: Engine, key: str) -> Decision | None:
    return engine.decisions.get(key)


def _line(decision: Decision) -> Decided:
    return Decided(
        id=decision.id,
        created=decision.created.isoformat(),
        model=decision.model,
        category=decision.categorize.category if decision.categorize else None,
        expert=decision.expert,
        error=decision.error.kind if decision.error else None,
        cost_usd=decision.cost_usd,
        total_ms=decision.total_ms,
    )


_ALL: Mapping[str, Callable[[Engine], BaseModel]] = {
    "experts": _experts,
    "categories": _categories,
    "decisions": _decisions,
}
_ONE: Mapping[str, Callable[[Engine, str], BaseModel | None]] = {"experts": _expert, "decisions": _decision}

RESOURCES = (
    Resource(
        uri=f"{SCHEME}experts",
        name="experts",
        title="Experts",
        description="Every expert: what it is good at, how it is and why, and the categories that name it.",
        mime_type=JSON,
    ),
    Resource(
        uri=f"{SCHEME}categories",
        name="categories",
        title="Categories",
        description="The kinds of queries, what each means, and the experts of each.",
        mime_type=JSON,
    ),
    Resource(
        uri=f"{SCHEME}decisions",
        name="decisions",
        title="Latest decisions",
        description=f"The latest {LISTED_DECISIONS} decisions, newest first, one line each.",
        mime_type=JSON,
    ),
)
TEMPLATES = (
    ResourceTemplate(
        uri_template=f"{SCHEME}experts/{{id}}",
        name="expert",
        title="Expert",
        description="One expert: what it can do, its servers, whether it is awake.",
        mime_type=JSON,
    ),
    ResourceTemplate(
        uri_template=f"{SCHEME}decisions/{{id}}",
        name="decision",
        title="Decision",
        description="One of the latest decisions whole, by the `decision` of an answer; without content.",
        mime_type=JSON,
    ),
)
