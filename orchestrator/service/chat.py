"""POST /v1/chat/completions: the hot path. Bare ASGI: no request object, no model of the body, no task of its own."""

from __future__ import annotations

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.service.body import chat_body, chat_model, read_json, take_cost_quality
from orchestrator.service.errors import error_response
from orchestrator.service.headers import decision_headers
from orchestrator.service.streaming import EventStream, Hangup, send_json
from orchestrator.service.telemetry import Meters
from orchestrator.stages.draft import nowhere
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest
from orchestrator.wire import completion

__all__ = ["CHAT_PATH", "ChatFirst", "answer_chat"]

CHAT_PATH = "/v1/chat/completions"

log = structlog.get_logger()


class ChatFirst:
    """Answers chat requests before anything looks for their route; all else goes on to the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == CHAT_PATH and scope["method"] == "POST":
            await answer_chat(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def answer_chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Route, ask and answer one chat request, streaming if it says so."""
    state = scope["app"].state
    engine: Engine = state.engine
    try:
        body = chat_body(await read_json(scope, receive, limit=engine.config.serve.max_body_bytes))
        cost_quality = take_cost_quality(body)
        request, trace = engine.pipeline.request(body, model=chat_model(body), cost_quality=cost_quality)
    except ClientDisconnect:
        return
    except OrchestratorError as error:
        await error_response(error)(scope, receive, send)
        return
    try:
        with Hangup(receive):
            if request.stream:
                await _streamed(engine, request, trace, send)
            else:
                await send_json(send, await _whole(engine, request, trace), trace)
    except OrchestratorError as error:
        await error_response(error, decision_headers(trace))(scope, receive, send)
    finally:
        _note(engine, state.meters, trace)


async def _whole(engine: Engine, request: ChatRequest, trace: Trace) -> bytes:
    draft = await engine.pipeline.answer(request, nowhere, trace)
    return completion(draft, model=draft.expert)


async def _streamed(engine: Engine, request: ChatRequest, trace: Trace, send: Send) -> None:
    events = EventStream(send, trace)
    try:
        await engine.pipeline.answer(request, events, trace)
    except OrchestratorError as error:
        if not events.begun:
            raise
        await events.fail(error)
    else:
        await events.end()


def _note(engine: Engine, meters: Meters, trace: Trace) -> None:
    meters.ended(trace)
    engine.keep(trace)
    log.info(
        trace.outcome,
        decision=trace.id,
        model=trace.model,
        category=trace.categorized.category if trace.categorized else None,
        expert=trace.expert,
        error=trace.error.kind if trace.error else None,
        total_ms=trace.total_ms,
        overhead_ms=trace.overhead_ms,
        cost_usd=trace.cost_usd,
    )
