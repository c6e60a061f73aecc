"""The orchestrator as an MCP server: agents ask, see how a query would be routed, and list the experts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Annotated, Any, Literal

from anyio import to_thread
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field, SkipValidation

from orchestrator.config import Config
from orchestrator.controls import Controls
from orchestrator.decision import Decision
from orchestrator.errors import InvalidRequest, OrchestratorError
from orchestrator.experts import State
from orchestrator.service.body import cost_quality_of
from orchestrator.service.catalogue import categories_of
from orchestrator.service.mcp_progress import Steps
from orchestrator.service.mcp_server import AgentServer, Surface, ToolContext, surface_of
from orchestrator.service.passages import Found, found_passages
from orchestrator.stages.draft import nowhere
from orchestrator.usage.feedback import Accepted, accept
from orchestrator.wire import Attached, Citation, attachment, citation

__all__ = ["Answer", "ExpertEntry", "Experts", "create_server"]

HARMLESS = frozenset({"local", "retriever", "vllm"})
"""Kinds of experts that answer and do nothing else; any other may act, as a tool does."""
ENGINE = "orchestrator.engine"
"""Imported once an agent can be greeted: with its libraries it takes longer than the protocol's."""
Opened = Callable[[], AbstractAsyncContextManager[Surface]]

Query = Annotated[str, Field(description="the question or request, in plain words", min_length=1)]
Model = Annotated[str, Field(description="auto (route), fuse (several drafts and a verdict) or an expert's id")]
CostQuality = Annotated[
    SkipValidation[Annotated[float, Field(ge=0, le=1)] | None],  # checked as in a REST body, with the same message
    Field(
        description="where to choose between the cheapest experts (0) and the best within the budget (1, as without "
        "it); only where experts were learned from graded answers, and not with an expert's id as model"
    ),
]
Score = Annotated[
    SkipValidation[Annotated[float, Field(ge=0, le=1)] | None],  # the same
    Field(description="0 (wrong) to 1 (right)"),
]


class Answer(BaseModel):
    """An answer and where it came from."""

    answer: str
    decision: str = Field(description="id of the decision, for feedback")
    expert: str = Field(description="the expert whose words these are")
    category: str | None = Field(description="what the query was taken for")
    confidence: float | None
    plan: str
    citations: list[Citation] = Field(description="passages that the answer stands on")
    structured: dict[str, Any] | None = Field(description="the answer as data, where a tool gave it so")
    attachments: list[Attached] = Field(description="images, audio and resources that a tool gave")


class ExpertEntry(BaseModel):
    """One expert."""

    id: str
    kind: str
    description: str
    state: State
    categories: list[str]


class Experts(BaseModel):
    """All experts."""

    experts: list[ExpertEntry]


def create_server(config: Config, surface: Opened | None = None) -> AgentServer:
    """The server. surface: what its tools work on; without one an engine starts and ends with the connection.

    A call waits for it for as long as a query may take (`budget.deadline_s`).
    """

    @asynccontextmanager
    async def own() -> AsyncIterator[Surface]:
        engine_module = await to_thread.run_sync(import_module, ENGINE)
        async with engine_module.running(config) as engine:
            yield Surface(engine=engine, note=engine.keep)

    return AgentServer(_tools(config), surface or own, limit_s=config.budget.deadline_s)


def _tools(config: Config) -> list[Tool]:
    """In the order in which they are listed."""
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    acts = any(settings.kind not in HARMLESS for settings in config.experts.values())
    asks = ToolAnnotations(read_only_hint=not acts, open_world_hint=True)
    keeps = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    rows: list[tuple[Callable[..., Any], str, str, ToolAnnotations]] = [
        (ask, "Ask", "Answer a query by the expert that fits it best.", asks),
        (route, "Route", "Show how a query would be routed, without asking any expert.", reads),
        (ask_expert, "Ask an expert", "Answer a query by one expert that you name; see list_experts.", asks),
        (search, "Search", "Find passages in the documents of the retriever experts, without an answer.", reads),
        (list_experts, "List experts", "List the experts and how they are.", reads),
        (
            feedback,
            "Feedback",
            "Say how good an answer of `ask` was, or which category its query belongs to.",
            keeps,
        ),
    ]
    return [
        Tool.from_function(function, title=title, description=description, annotations=annotations)
        for function, title, description, annotations in rows
    ]


async def ask(query: Query, context: ToolContext, model: Model = "auto", cost_quality: CostQuality = None) -> Answer:
    """Answer a query by the expert that fits it best."""
    steps = Steps(context.report_progress)
    with _plainly():
        surface = await surface_of(context, steps)
        return await _answer(
            surface, query, model=model.strip(), cost_quality=cost_quality_of(cost_quality), steps=steps
        )


async def route(
    query: Query, context: ToolContext, model: Model = "auto", cost_quality: CostQuality = None
) -> Decision:
    """Show how a query would be routed."""
    with _plainly():
        pipeline = (await surface_of(context)).engine.pipeline
        controls = Controls(cost_quality=cost_quality_of(cost_quality))
        request, trace = pipeline.request(_body(query), model=model.strip(), controls=controls)
        await pipeline.route(request, trace)
    trace.close()
    return trace.decision()


async def ask_expert(
    query: Query, expert: Annotated[str, Field(description="the expert's id", min_length=1)], context: ToolContext
) -> Answer:
    """Answer a query by one expert, without routing."""
    steps = Steps(context.report_progress)
    with _plainly():
        surface = await surface_of(context, steps)
        known = list(surface.engine.registry)
        if expert.strip() not in known:
            raise ToolError(f"No expert {expert!r}. Known: {', '.join(known)}.")
        return await _answer(surface, query, model=expert.strip(), cost_quality=None, steps=steps)


async def search(
    query: Query,
    context: ToolContext,
    top_k: Annotated[int, Field(description="passages of each retriever", ge=1, le=100)] = 5,
    experts: Annotated[list[str] | None, Field(description="ids of retrievers; default: all", min_length=1)] = None,
    model: Annotated[Literal["auto"] | None, Field(description="auto lets the router choose among them")] = None,
) -> Found:
    """Find passages."""
    with _plainly():
        _body(query)
        engine = (await surface_of(context)).engine
        return await found_passages(engine, query, top_k=top_k, experts=experts, routed=model == "auto")


async def list_experts(context: ToolContext) -> Experts:
    """List the experts and how they are."""
    with _plainly():
        engine = (await surface_of(context)).engine
    return Experts(
        experts=[
            ExpertEntry(
                id=expert,
                kind=engine.registry.settings(expert).kind,
                description=engine.registry.settings(expert).description,
                state=engine.registry.condition(expert).state,
                categories=categories_of(engine, expert),
            )
            for expert in engine.registry
        ]
    )


async def feedback(  # noqa: PLR0917 - a tool's arguments
    decision: Annotated[str, Field(description="the `decision` of an answer")],
    context: ToolContext,
    score: Score = None,
    rating: Annotated[Literal["up", "down"] | None, Field(description="instead of a score")] = None,
    category: Annotated[str | None, Field(description="the category where the query belongs")] = None,
    expert: Annotated[str | None, Field(description="whose part is judged; default: who answered")] = None,
    comment: Annotated[str, Field(description="kept only where the service keeps content")] = "",
) -> Accepted:
    """Say how good an answer was."""
    body = {"decision": decision, "score": score, "rating": rating, "category": category, "expert": expert}
    with _plainly():
        return await accept((await surface_of(context)).engine, {**body, "comment": comment or None})


async def _answer(surface: Surface, query: str, *, model: str, cost_quality: float | None, steps: Steps) -> Answer:
    """The whole flow for one query; steps: hears how far its experts are."""
    pipeline = surface.engine.pipeline
    request, trace = pipeline.request(_body(query), model=model, controls=Controls(cost_quality=cost_quality))
    try:
        draft = await pipeline.answer(replace(request, report=steps.tell), nowhere, trace)
    finally:
        surface.note(trace)
    decision = trace.decision()
    return Answer(
        answer=draft.text,
        decision=decision.id,
        expert=draft.expert,
        category=decision.categorize.category if decision.categorize else None,
        confidence=decision.categorize.confidence if decision.categorize else None,
        plan=decision.choose.plan if decision.choose else "single",
        citations=[citation(passage) for passage in draft.passages],
        structured=dict(draft.structured) if draft.structured is not None else None,
        attachments=[attachment(attached) for attached in draft.attachments],
    )


@contextmanager
def _plainly() -> Iterator[None]:
    """What went wrong as an error that the agent reads, in the words of the other surfaces."""
    try:
        yield
    except OrchestratorError as error:
        raise ToolError(str(error)) from error


def _body(query: str) -> dict[str, Any]:
    if not query.strip():
        raise InvalidRequest("'query' must have something in it.", param="query")
    return {"messages": [{"role": "user", "content": query}]}
