"""The hot path: chat requests, in OpenAI's form or another one (`Surface`), answered whole or as a stream.

Bare ASGI: no request object, no model of the body, no task of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import structlog
from starlette.datastructures import State
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.service.body import chat_body, chat_model, read_json
from orchestrator.service.controls import take_controls
from orchestrator.service.direct import direct_of
from orchestrator.service.errors import BUG, error_response, plain_error
from orchestrator.service.headers import decision_headers
from orchestrator.service.identity import caller_of
from orchestrator.service.session import session_of
from orchestrator.service.streaming import EventStream, Hangup
from orchestrator.stages.draft import nowhere
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest

__all__ = ["CHAT", "ChatFirst", "Forgetful", "Surface", "answer", "note_end"]

log = structlog.get_logger()


class Surface(Protocol):
    """A form of chat requests and their answers.

    path: where they are posted. remembers: whether requests may go on from answers that were kept.
    """

    path: str
    remembers: bool

    async def recalled(self, engine: Engine, body: dict[str, Any], caller: str) -> dict[str, Any]:
        """The body with what it goes on from."""
        ...

    def keep(self, engine: Engine, body: Mapping[str, Any], out: EventStream, caller: str) -> None:
        """Keep an answer that has ended, so that it can be gone on from."""
        ...

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body in OpenAI's chat form; raises InvalidRequest."""
        ...

    def out(self, send: Send, trace: Trace, scope: Scope, body: Mapping[str, Any]) -> EventStream:
        """What takes the answer. body: as the client sent it."""
        ...

    def error(self, error: OrchestratorError, headers: Mapping[str, str] | None) -> Response:
        """The response of a request that failed before its first byte."""
        ...

    def bug(self) -> Response:
        """The response of a defect of ours."""
        ...


class Forgetful:
    """Of a form of requests that never goes on from an answer that was kept."""

    remembers = False

    async def recalled(self, engine: Engine, body: dict[str, Any], caller: str) -> dict[str, Any]:  # noqa: ARG002 - as every surface
        return body

    def keep(self, engine: Engine, body: Mapping[str, Any], out: EventStream, caller: str) -> None:
        """Nothing."""


class _Chat(Forgetful):
    """POST /v1/chat/completions: as it is."""

    path = "/v1/chat/completions"

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        return body

    def out(self, send: Send, trace: Trace, scope: Scope, body: Mapping[str, Any]) -> EventStream:  # noqa: ARG002 - as every surface
        return EventStream(send, trace, direct_of(scope))

    def error(self, error: OrchestratorError, headers: Mapping[str, str] | None) -> Response:
        return error_response(error, headers)

    def bug(self) -> Response:
        return plain_error(500, BUG)


CHAT: Surface = _Chat()


class ChatFirst:
    """Answers chat requests before anything looks for their route; all else goes on to the application.

    state: the application's, which has `engine`, `meters` and `log_request` once it runs.
    """

    def __init__(self, app: ASGIApp, state: State, *surfaces: Surface) -> None:
        self._app = app
        self._state = state
        self._surfaces = {surface.path: surface for surface in surfaces}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._surfaces:
            await answer(self._state, scope, receive, send, self._surfaces[scope["path"]])
        else:
            await self._app(scope, receive, send)


async def answer(state: State, scope: Scope, receive: Receive, send: Send, surface: Surface) -> None:
    """Route, ask and answer one request, streaming if it says so."""
    engine: Engine = state.engine
    trace: Trace | None = None
    out: EventStream | None = None
    try:
        sent = await read_json(scope, receive, limit=engine.config.serve.max_body_bytes)
        asked = take_controls(scope, sent)
        caller = caller_of(scope)
        if surface.remembers:
            sent = await surface.recalled(engine, sent, caller)
        body = chat_body(surface.chat(sent))
        request, trace = engine.pipeline.request(
            body, model=chat_model(body), controls=asked.controls, session=session_of(scope, body)
        )
        trace.caller = caller
        out = surface.out(send, trace, scope, sent)
        out.verbose, out.explaining = asked.debug, asked.controls.explain
        if asked.progress and request.stream:
            request = replace(request, report=out.report)
        with Hangup(receive, request.deadline) as hangup:
            await _answer(engine, request, trace, out)
        if surface.remembers and not hangup.left and not hangup.late:
            surface.keep(engine, sent, out, caller)
        if hangup.late:
            await _late(engine.pipeline.too_late(trace), out, streamed=request.stream)
    except ClientDisconnect:
        return
    except OrchestratorError as error:
        await surface.error(error, decision_headers(trace) if trace else None)(scope, receive, send)
    except Exception:  # supervised border
        # A defect of ours: logged with its trace, told to the client without.
        log.exception("bug", path=surface.path)
        if out is not None and out.begun:
            raise
        await surface.bug()(scope, receive, send)
    finally:
        if trace is not None:
            note_end(state, trace)


async def _answer(engine: Engine, request: ChatRequest, trace: Trace, out: EventStream) -> None:
    if not request.stream:
        draft = await engine.pipeline.run(request, nowhere, trace)
        await out.answer(draft)
        return
    try:
        await engine.pipeline.run(request, out, trace)
    except OrchestratorError as error:
        if not out.begun:
            raise
        await out.fail(error)
    else:
        await out.end()


async def _late(error: OrchestratorError, out: EventStream, *, streamed: bool) -> None:
    """The end of a request whose time is up; a whole answer that its client is too slow to take just ends."""
    if not out.begun:
        raise error
    if streamed:
        await out.fail(error)


def note_end(state: State, trace: Trace) -> None:
    """Count, keep and log what a request has come to."""
    state.meters.ended(trace)
    state.engine.keep(trace)
    state.log_request(trace)
