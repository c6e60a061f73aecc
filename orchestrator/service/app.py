"""The REST application: routes, error handlers and the life of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from orchestrator.batch.shelf import Shelf
from orchestrator.batch.worker import Worker
from orchestrator.config import Config
from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.service import batches
from orchestrator.service.chat import CHAT, ChatFirst
from orchestrator.service.embeddings import EMBEDDINGS_PATH, embeddings
from orchestrator.service.errors import BUG, error_response, plain_error
from orchestrator.service.keys import KeyGuard
from orchestrator.service.mcp_http import MCP_PATH, AgentEndpoint
from orchestrator.service.messages.surface import MESSAGES
from orchestrator.service.openapi.document import complete_document
from orchestrator.service.requests_log import log_request
from orchestrator.service.responses.surface import RESPONSES
from orchestrator.service.routes import router
from orchestrator.service.telemetry import Meters, metrics
from orchestrator.trace import Trace

__all__ = ["create_app"]

CLIENT_CLOSED_REQUEST = 499
"""nginx's number for a client that left; nobody sees it."""

SURFACES = (CHAT, RESPONSES, MESSAGES)

log = structlog.get_logger()


def create_app(
    config: Config,
    open_engine: Callable[[], AbstractAsyncContextManager[Engine]],
    *,
    log_request: Callable[[Trace], None] = log_request,
) -> ASGIApp:
    """The ASGI application over an engine that lives as long as the application does.

    Chat requests meet nothing but the guards on their way; all else goes through the framework. log_request: called
    with each that has ended.
    """
    rest = _rest(config, open_engine, log_request)
    app: ASGIApp = ChatFirst(rest, rest.state, *SURFACES)
    rest.state.inside = app
    return KeyGuard(app, keys=config.serve.key_list) if config.serve.key_list else app


def _rest(
    config: Config, open_engine: Callable[[], AbstractAsyncContextManager[Engine]], log_request: Callable[[Trace], None]
) -> FastAPI:

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_engine() as engine:
            app.state.engine = engine
            app.state.meters = Meters(engine)
            app.state.log_request = log_request
            engine.registry.background.start(engine.registry.start_all)
            if config.serve.batches is not None:
                app.state.shelf = Shelf(config.path(config.serve.batches))
                app.state.worker = worker_of(config, app.state)
                engine.registry.background.start(app.state.worker.serve)
            yield

    app = FastAPIOffline(  # /docs without a content delivery network
        title="Expert Orchestrator",
        version=version("expert-orchestrator"),
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours has what routing needs, and costs less
        routes=[
            *(Route(surface.path, _elsewhere, methods=["POST"]) for surface in SURFACES),
            Route(EMBEDDINGS_PATH, embeddings, methods=["POST"]),
            Route("/metrics", metrics, methods=["GET"]),
        ],
    )
    app.include_router(router)
    if config.serve.batches is not None:
        app.include_router(batches.router)
    complete_document(app, keys=bool(config.serve.key_list), mcp=config.serve.mcp)
    if config.serve.mcp:
        app.router.routes.append(Route(MCP_PATH, AgentEndpoint(config, app.state), include_in_schema=False))
    app.add_exception_handler(OrchestratorError, _on_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_client_gone)
    app.add_exception_handler(Exception, _on_bug)
    return app


def worker_of(config: Config, state: State) -> Worker:
    """What works through batches: over the application itself, without its guards."""
    serve = config.serve
    return Worker(
        state.shelf,
        partial(batches.clients_of, state.inside),
        concurrency=serve.batch_concurrency,
        deadline_s=config.budget.deadline_s + 5,
        days=serve.batch_days,
    )


async def _elsewhere(_: Request) -> Response:
    """Chat requests have been answered before (`ChatFirst`); the route is there so that other methods are refused."""
    return plain_error(500, BUG)


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, OrchestratorError)  # noqa: S101 - registered for this class
    return error_response(error)


async def _on_http_error(http: Request, error: Exception) -> Response:
    """Unknown paths and methods, in OpenAI's shape."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    return plain_error(error.status_code, f"{error.detail}: {http.method} {http.url.path}", headers=error.headers)


async def _on_client_gone(_: Request, __: Exception) -> Response:
    """A client that left while it sent its body: nobody reads the answer."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _on_bug(http: Request, error: Exception) -> Response:
    """A defect of ours: logged with its trace, told to the client without."""
    log.error("bug", path=http.url.path, exc_info=error)
    return plain_error(500, BUG)
