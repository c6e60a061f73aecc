"""The routes beside the hot path: models, explaining, searching, decisions, health. FastAPI documents them at /docs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel
from starlette.requests import Request

from orchestrator.decision import Decision
from orchestrator.engine import Engine
from orchestrator.errors import InvalidRequest, RequestError, UnknownDecision, UnknownModel
from orchestrator.service import usage
from orchestrator.service.body import chat_body, chat_model, integer, json_body, switch
from orchestrator.service.catalogue import ExpertShown, shown
from orchestrator.service.controls import take_controls
from orchestrator.service.embeddings import embedding_models
from orchestrator.service.openapi.admin import FEEDBACK_BODY, ROUTE_BODY, SEARCH_BODY
from orchestrator.service.passages import Found, found_passages
from orchestrator.service.session import session_of
from orchestrator.stages.choose import ALIASES

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
    asked = take_controls(http.scope, body)
    explain = switch(body, "explain")
    request, trace = engine.pipeline.request(
        chat_body(body), model=chat_model(body), controls=asked.controls, session=session_of(http.scope, body)
    )
    await engine.pipeline.route(request, trace, explain=explain)
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
    return await found_passages(
        engine, query, top_k=top_k, experts=_names(body.get("experts")), routed=_routed(body.get("model"))
    )


def _routed(model: object) -> bool:
    """Whether the client asks the router to choose."""
    if model is None:
        return False
    if model != "auto":
        raise InvalidRequest("'model' must be \"auto\"; name retrievers in 'experts'.", param="model")
    return True


def _names(asked: object) -> list[str] | None:
    if asked is None:
        return None
    if not isinstance(asked, list) or not asked or not all(isinstance(name, str) for name in asked):
        raise InvalidRequest("'experts' must be a non-empty array of expert ids.", param="experts")
    return asked


@router.get("/v1/experts")
async def experts(http: Request) -> list[ExpertShown]:
    """Every expert, how it is and why, what it can do and which categories name it."""
    return [shown(_engine(http), expert) for expert in _engine(http).registry]


@router.get("/v1/decisions/{decision_id}")
async def decision(http: Request, decision_id: str) -> Decision:
    """A decision that is kept; without content (queries and drafts are not kept) unless `serve.content` is set."""
    found = await _engine(http).decision(decision_id)
    if found is None:
        raise UnknownDecision(f"No decision {decision_id!r} is kept.", param="decision_id")
    return found


@router.get("/health")
async def health(http: Request) -> Health:
    """Whether the process serves; calls no expert."""
    watch = _engine(http).watch
    if watch is None:
        return Health(status="ok")
    return Health(status="ok", generation=watch.serving.label, refused=bool(watch.refused))


@router.get("/v1/router", name="router")
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


@router.get("/health/ready", responses={503: {"model": Health, "description": "Not yet"}})
async def ready(http: Request, response: Response) -> Health:
    """200 once the router is loaded and an expert is up, 503 before; calls no expert."""
    is_ready, reason = _engine(http).ready()
    if is_ready:
        return Health(status="ok")
    response.status_code = 503
    return Health(status="starting", reason=reason)


@router.get("/version", name="version")
async def version_() -> dict[str, str]:
    """The version of this service."""
    return {"version": version("expert-orchestrator")}
