"""The orchestrator as an MCP server: agents ask, see how a query would be routed, and list the experts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field, SkipValidation

from orchestrator.config import Config
from orchestrator.decision import Decision
from orchestrator.engine import Engine, running
from orchestrator.errors import OrchestratorError
from orchestrator.experts import State
from orchestrator.service.body import cost_quality_of
from orchestrator.stages.draft import nowhere
from orchestrator.types import Progress
from orchestrator.usage.feedback import Accepted, accept
from orchestrator.wire import attachment, citation

__all__ = ["Answer", "ExpertEntry", "Experts", "create_server"]

INSTRUCTIONS = "Ask anything: each query goes to the expert that knows its kind best."

Query = Annotated[str, Field(description="the question or request, in plain words", min_length=1)]
Model = Annotated[str, Field(description="auto (route), fuse (several drafts and a verdict) or an expert's id")]
CostQuality = Annotated[
    SkipValidation[Annotated[float, Field(ge=0, le=1)] | None],  # checked as in a REST body, with the same message
    Field(
        description="where to choose between the cheapest experts (0) and the best within the budget (1, as without "
        "it); only where experts were learned from graded answers, and not with an expert's id as model"
    ),
]


class Answer(BaseModel):
    """An answer and where it came from."""

    answer: str
    decision: str = Field(description="id of the decision, for feedback")
    expert: str = Field(description="the expert whose words these are")
    category: str | None = Field(description="what the query was taken for")
    confidence: float | None
    plan: str
    citations: list[dict[str, Any]] = Field(description="passages that the answer stands on")
    structured: dict[str, Any] | None = Field(description="the answer as data, where a tool gave it so")
    attachments: list[dict[str, Any]] = Field(description="images, audio and resources that a tool gave")


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


def create_server(config: Config) -> MCPServer[Engine]:
    """The server; its engine starts with the connection and ends with it."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[Engine]) -> AsyncIterator[Engine]:
        async with running(config) as engine:
            yield engine

    server: MCPServer[Engine] = MCPServer(
        "expert-orchestrator", instructions=INSTRUCTIONS, version=version("expert-orchestrator"), lifespan=lifespan
    )
    server.tool(description="Answer a query by the expert that fits it best.")(ask)
    server.tool(description="Show how a query would be routed, without asking any expert.")(route)
    server.tool(description="List the experts and how they are.")(list_experts)
    server.tool(description="Say how good an answer of `ask` was, or which category its query belongs to.")(feedback)
    return server


async def ask(
    query: Query, context: Context[Engine, Any], model: Model = "auto", cost_quality: CostQuality = None
) -> Answer:
    """Answer a query by the expert that fits it best."""
    engine = _engine(context)
    try:
        request, trace = engine.pipeline.request(
            _body(query), model=model.strip(), cost_quality=cost_quality_of(cost_quality)
        )
        request = replace(request, report=partial(_report, context))
        try:
            draft = await engine.pipeline.answer(request, nowhere, trace)
        finally:
            engine.keep(trace)
    except OrchestratorError as error:
        raise ToolError(str(error)) from error
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


async def route(
    query: Query, context: Context[Engine, Any], model: Model = "auto", cost_quality: CostQuality = None
) -> Decision:
    """Show how a query would be routed."""
    pipeline = _engine(context).pipeline
    try:
        request, trace = pipeline.request(_body(query), model=model.strip(), cost_quality=cost_quality_of(cost_quality))
        await pipeline.route(request, trace)
    except OrchestratorError as error:
        raise ToolError(str(error)) from error
    trace.close()
    return trace.decision()


async def list_experts(context: Context[Engine, Any]) -> Experts:
    """List the experts and how they are."""
    engine = _engine(context)
    return Experts(
        experts=[
            ExpertEntry(
                id=expert,
                kind=engine.registry.settings(expert).kind,
                description=engine.registry.settings(expert).description,
                state=engine.registry.condition(expert).state,
                categories=[name for name, block in engine.config.categories.items() if expert in block.experts],
            )
            for expert in engine.registry
        ]
    )


async def feedback(  # noqa: PLR0917 - a tool's arguments
    decision: Annotated[str, Field(description="the `decision` of an answer")],
    context: Context[Engine, Any],
    score: Annotated[float | None, Field(description="0 (wrong) to 1 (right)")] = None,
    rating: Annotated[Literal["up", "down"] | None, Field(description="instead of a score")] = None,
    category: Annotated[str | None, Field(description="the category where the query belongs")] = None,
    expert: Annotated[str | None, Field(description="whose part is judged; default: who answered")] = None,
    comment: Annotated[str | None, Field(description="kept only where the service keeps content")] = None,
) -> Accepted:
    """Say how good an answer was."""
    body = {"decision": decision, "score": score, "rating": rating, "category": category, "expert": expert}
    try:
        return accept(_engine(context), {**body, "comment": comment})
    except OrchestratorError as error:
        raise ToolError(str(error)) from error


async def _report(context: Context[Engine, Any], progress: Progress) -> None:
    message = f"{progress.expert}: {progress.message}" if progress.message else progress.expert
    await context.report_progress(progress.done, progress.total, message)


def _engine(context: Context[Engine, Any]) -> Engine:
    engine: Engine = context.request_context.lifespan_context
    return engine


def _body(query: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": query}]}
