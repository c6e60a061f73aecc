"""POST /v1/messages as a surface of the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Scope, Send

from orchestrator.errors import OrchestratorError
from orchestrator.service.chat import Forgetful, Surface
from orchestrator.service.errors import BUG
from orchestrator.service.messages.answer import Answering
from orchestrator.service.messages.errors import error_fields, in_shape
from orchestrator.service.messages.request import chat_of
from orchestrator.service.streaming import EventStream
from orchestrator.service.translated import TranslatedStream
from orchestrator.trace import Trace

__all__ = ["MESSAGES"]


class _Messages(Forgetful):
    """Anthropic's messages API."""

    path = "/v1/messages"

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        return chat_of(body)

    def out(self, send: Send, trace: Trace, scope: Scope, body: Mapping[str, Any]) -> EventStream:  # noqa: ARG002 - as every surface
        return TranslatedStream(send, trace, Answering(body))

    def error(self, error: OrchestratorError, headers: Mapping[str, str] | None) -> Response:
        return in_shape(error, headers)

    def bug(self) -> Response:
        return JSONResponse(error_fields(500, BUG), status_code=500)


MESSAGES: Surface = _Messages()
