"""The routes beside the hot path: models, explaining, searching, decisions, health. FastAPI documents them at /docs."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from orchestrator.decision import Decision
from orchestrator.engine import Engine
from orchestrator.errors import ExpertError, InvalidRequest, NoExpertLeft, RequestError, UnknownDecision, UnknownModel
from orchestrator.experts import HedgeCounts, ReplicaSeen, State
from orchestrator.fleet.registry import Registry
from orchestrator.fleet.residency.seats import ResidencySeen
from orchestrator.searching import by_rank, by_score, gathered
from orchestrator.service import usage
from orchestrator.service.body import chat_body, chat_model, integer, json_body, switch, take_cost_quality
from orchestrator.service.embeddings import embedding_models
from orchestrator.service.openapi import FEEDBACK_BODY, ROUTE_BODY, SEARCH_BODY
from orchestrator.stages.choose import ALIASES
from orchestrator.wire import citation
from routers.retrievers.arms import DEPTH, Arm

__all__ = ["router"]

router = APIRouter()
router.add_api_route("/v1/feedback", usage.feedback, methods=["POST"], status_code=202, openapi_extra=FEEDBACK_BODY)
router.add_api_route("/v1/alerts", usage.alerts)


class Model(BaseModel):
    """One name that `model` takes."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "expert-orchestrator"
    description: str = ""


class Models(BaseModel):
    """OpenAI's list of models: the aliases first, then every expert, then what only embeds."""

    object: Literal["list"] = "list"
    data: list[Model]


class ExpertShown(BaseModel):
    """One expert for people and dashboards; holds no secret; the reason may name servers.

    base: the expert on whose servers it lives, None for one with servers of its own.
    replicas: its servers and how each of them is; empty where it has none of its own.
    hedges: how often it asked a second one because the first was slow; None where that is off.
    residency: whether it is awake, and its memory; None where it never sleeps.
    """

    id: str
    kind: str
    description: str
    state: State
    reason: str
    capabilities: dict[str, bool]
    categories: list[str]
    base: str | None = None
    replicas: list[ReplicaSeen] = []
    hedges: HedgeCounts | None = None
    residency: ResidencySeen | None = None


class Found(BaseModel):
    """Passages, best first; `failed` names the retrievers that could not be asked, `experts` all that were chosen."""

    model_config = ConfigDict(extra="forbid")

    query: str
    passages: list[dict[str, Any]]
    failed: dict[str, str]
    experts: list[str] = []


class Health(BaseModel):
    """Liveness or readiness. generation: the artifact that decides; refused: whether a newer one cannot be used."""

    status: Literal["ok", "starting"]
    reason: str = ""
    generation: str | None = None
    refused: bool = False


class RouterShown(BaseModel):
    """The artifact that decides which kind a query is, and whom it goes to.

    label: as decisions name it. generation: its number, None for one that was trained and never promoted. refused: why
    what has been put in its place since is not used; empty where nothing has.
    """

    label: str
    generation: int | None
    sha256: str
    general: str
    categories: list[str]
    refused: str


def _engine(http: Request) -> Engine:
    engine: Engine = http.app.state.engine
    return engine


@router.get("/v1/models")
async def models(http: Request) -> Models:
    """Every name that `model` takes: `auto`, `fuse` and the experts; for embeddings the text embedders too."""
    engine = _engine(http)
    aliases = {"auto": "routes to the right expert", "fuse": "drafts by several experts, then a verdict"}
    shown = [Model(id=name, description=aliases[name]) for name in ALIASES]
    settings = engine.registry.settings
    experts = [Model(id=name, description=settings(name).description) for name in engine.registry]
    inside = embedding_models(engine)
    only_embed = [Model(id=name, description=inside[name]) for name in inside if name not in engine.registry]
    return Models(data=[*shown, *experts, *only_embed])


@router.get("/v1/models/{model}")
async def model(http: Request, model: Annotated[str, Path(description="an alias or an expert's id")]) -> Model:
    """One of the models."""
    found = [entry for entry in (await models(http)).data if entry.id == model]
    if not found:
        raise UnknownModel(f"The model {model!r} does not exist; see GET /v1/models.", param="model")
    return found[0]


@router.post("/v1/route", openapi_extra=ROUTE_BODY)
async def route(http: Request) -> Decision:
    """What would be done with a request, without asking any expert: the first two stages, live.

    Takes a chat body, or {"query": "..."}. With {"explain": true} the decision has an `explanation`: what of the query
    and of the learned examples decided between the likeliest category and the next.
    """
    engine = _engine(http)
    body = await json_body(http, limit=engine.config.serve.max_body_bytes)
    if "messages" not in body:
        query = body.get("query")
        if not isinstance(query, str) or not query.strip():
            raise InvalidRequest("Give 'query' (a non-empty string) or 'messages'.", param="query")
        body = {**body, "messages": [{"role": "user", "content": query}]}
    cost_quality = take_cost_quality(body)
    request, trace = engine.pipeline.request(chat_body(body), model=chat_model(body), cost_quality=cost_quality)
    await engine.pipeline.route(request, trace, explain=switch(body, "explain"))
    trace.close()
    return trace.decision()


@router.post("/v1/search", openapi_extra=SEARCH_BODY)
async def search(http: Request) -> Found:
    """Ranked passages of the retriever experts.

    Takes {"query": "...", "top_k": 5, "experts": ["..."]}; without `experts` all retrievers are asked, and their
    passages stand by rank, those of equal rank in the order of the configuration. With {"model": "auto"} the router
    chooses among them the one, or the two whose scores are added, that it learned to be best for such queries.
    """
    engine = _engine(http)
    body = await json_body(http, limit=engine.config.serve.max_body_bytes)
    query = body.get("query")
    if not isinstance(query, str) or not query.strip():
        raise InvalidRequest("'query' must be a non-empty string.", param="query")
    top_k = integer(body, "top_k", default=5, least=1, most=100)
    among = _searchers(engine.registry, body.get("experts"))
    routed = await _routed(engine, query, among, body.get("model"))
    chosen = among if routed is None else list(routed)
    depth = DEPTH if routed is not None and len(routed) > 1 else top_k
    deadline_s = engine.config.budget.deadline_s
    found, failed = await gathered(engine.registry, query, chosen, top_k=depth, deadline_s=deadline_s)
    if not found:
        raise NoExpertLeft([ExpertError(expert, reason) for expert, reason in failed.items()])
    lists = [found[expert] for expert in chosen if expert in found]
    passages = by_rank(lists) if routed is None else by_score(lists)[:top_k]
    return Found(query=query, passages=[citation(passage) for passage in passages], failed=failed, experts=chosen)


async def _routed(engine: Engine, query: str, among: list[str], model: object) -> Arm | None:
    """Whom the router chooses, where the client asks it to."""
    if model is None:
        return None
    if model != "auto":
        raise InvalidRequest("'model' must be \"auto\"; name retrievers in 'experts'.", param="model")
    if engine.retrievers is None:
        raise RequestError("Nothing was learned of the retrievers; see 'routing.retrieval'.")
    return await engine.retrievers.arm(query, among=among)


def _searchers(registry: Registry, asked: object) -> list[str]:
    known = registry.searchers()
    if not known:
        raise RequestError("No retriever expert is configured.")
    if asked is None:
        return known
    if not isinstance(asked, list) or not asked:
        raise InvalidRequest("'experts' must be a non-empty array of expert ids.", param="experts")
    for name in asked:
        if name not in known:
            raise InvalidRequest(f"No retriever {name!r}. Known: {', '.join(known)}.", param="experts")
    return list(dict.fromkeys(asked))


@router.get("/v1/experts")
async def experts(http: Request) -> list[ExpertShown]:
    """Every expert, how it is and why, what it can do and which categories name it."""
    return [_shown(_engine(http), expert) for expert in _engine(http).registry]


def _shown(engine: Engine, expert: str) -> ExpertShown:
    registry = engine.registry
    settings, condition = registry.settings(expert), registry.condition(expert)
    built = registry.built(expert)
    capabilities = built.capabilities if built else None
    return ExpertShown(
        id=expert,
        kind=settings.kind,
        description=settings.description,
        state=condition.state,
        reason=condition.reason,
        capabilities=asdict(capabilities) if capabilities else {},
        categories=[name for name, block in engine.config.categories.items() if expert in block.experts],
        base=settings.shares(),
        replicas=registry.replicas(expert),
        hedges=registry.hedges(expert),
        residency=None if registry.residency is None else registry.residency.seen(expert),
    )


@router.get("/v1/decisions/{decision_id}")
async def decision(http: Request, decision_id: str) -> Decision:
    """One of the latest decisions; without content (queries and drafts are not kept) unless `serve.content` is set."""
    found = _engine(http).decisions.get(decision_id)
    if found is None:
        raise UnknownDecision(f"No decision {decision_id!r}; the latest 1000 are kept.", param="decision_id")
    return found


@router.get("/health")
async def health(http: Request) -> Health:
    """Whether the process serves; calls no expert."""
    watch = _engine(http).watch
    if watch is None:
        return Health(status="ok")
    return Health(status="ok", generation=watch.serving.label, refused=bool(watch.refused))


@router.get("/v1/router")
async def router_shown(http: Request) -> RouterShown:
    """The artifact that decides, and why a newer one does not."""
    watch = _engine(http).watch
    if watch is None:
        raise RequestError("This service was put together without an artifact.")
    serving = watch.serving
    return RouterShown(
        label=serving.label,
        generation=serving.number,
        sha256=serving.sha256,
        general=serving.router.general,
        categories=list(serving.router.categories),
        refused=watch.refused,
    )


@router.get("/health/ready")
async def ready(http: Request, response: Response) -> Health:
    """200 once the router is loaded and an expert is up, 503 before; calls no expert."""
    is_ready, reason = _engine(http).ready()
    if is_ready:
        return Health(status="ok")
    response.status_code = 503
    return Health(status="starting", reason=reason)


@router.get("/version")
async def version_() -> dict[str, str]:
    """The version of this service."""
    return {"version": version("expert-orchestrator")}
