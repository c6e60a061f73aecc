"""POST /v1/responses as a surface of the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Scope, Send

from orchestrator.errors import OrchestratorError
from orchestrator.service.chat import CHAT, Surface
from orchestrator.service.responses.answer import Answering
from orchestrator.service.responses.request import chat_of
from orchestrator.service.streaming import EventStream
from orchestrator.service.translated import TranslatedStream
from orchestrator.trace import Trace

__all__ = ["RESPONSES"]


class _Responses:
    """OpenAI's Responses API; its errors are those of chat."""

    path = "/v1/responses"

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        return chat_of(body)

    def out(self, send: Send, trace: Trace, scope: Scope, body: Mapping[str, Any]) -> EventStream:  # noqa: ARG002 - as every surface
        return TranslatedStream(send, trace, Answering(body))

    def error(self, error: OrchestratorError, headers: Mapping[str, str] | None) -> Response:
        return CHAT.error(error, headers)

    def bug(self) -> Response:
        return CHAT.bug()


RESPONSES: Surface = _Responses()
