"""POST /v1/chat/completions: the hot path. Plain Starlette, no model of the body."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.pipeline import Pipeline
from orchestrator.service.body import chat_body, chat_model, json_body, take_cost_quality
from orchestrator.service.errors import error_response
from orchestrator.service.headers import decision_headers
from orchestrator.service.session import session_of
from orchestrator.service.streaming import ClientLeft, EventStream, answer_events, unless_client_leaves
from orchestrator.stages.draft import nowhere
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest
from orchestrator.wire import completion

__all__ = ["CLIENT_CLOSED_REQUEST", "chat_completions"]

log = structlog.get_logger()
CLIENT_CLOSED_REQUEST = 499
"""nginx's number for a client that left; only logs see it."""


async def chat_completions(http: Request) -> Response:
    """Route, ask and answer one chat request, streaming if it says so."""
    engine: Engine = http.app.state.engine
    body = chat_body(await json_body(http, limit=engine.config.serve.max_body_bytes))
    cost_quality = take_cost_quality(body)
    session = session_of(http.scope, body)
    request, trace = engine.pipeline.request(body, model=chat_model(body), cost_quality=cost_quality, session=session)
    if request.stream:
        return _Streamed(engine, request, trace)
    return await _whole(engine, request, trace, http)


async def _whole(engine: Engine, request: ChatRequest, trace: Trace, http: Request) -> Response:
    try:
        draft = await unless_client_leaves(http.receive, lambda: engine.pipeline.answer(request, nowhere, trace))
    except OrchestratorError as error:
        return error_response(error, decision_headers(trace))
    except ClientLeft:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        _note(engine, trace)
    raw = completion(draft, model=draft.expert)
    return Response(raw, media_type="application/json", headers=decision_headers(trace))


class _Streamed(EventStream):
    """A streamed answer; an error before its first chunk becomes an ordinary error response."""

    def __init__(self, engine: Engine, request: ChatRequest, trace: Trace) -> None:
        pipeline: Pipeline = engine.pipeline
        super().__init__(lambda: answer_events(pipeline, request, trace), lambda: decision_headers(trace))
        self._engine = engine
        self._trace = trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except OrchestratorError as error:
            await error_response(error, decision_headers(self._trace))(scope, receive, send)
        finally:
            _note(self._engine, self._trace)


def _note(engine: Engine, trace: Trace) -> None:
    decision = trace.decision()
    engine.keep(decision)
    answered = "answered" if decision.verdict else "client left"
    log.info(
        "failed" if decision.error else answered,
        decision=decision.id,
        model=decision.model,
        category=decision.categorize.category if decision.categorize else None,
        expert=decision.expert,
        error=decision.error.kind if decision.error else None,
        total_ms=decision.total_ms,
        overhead_ms=decision.overhead_ms,
        cost_usd=decision.cost_usd,
    )
