"""POST /v1/responses as a surface of the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Scope, Send

from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.service.chat import CHAT, Surface
from orchestrator.service.responses.answer import Answering
from orchestrator.service.responses.memory import is_kept, kept_items, recalled
from orchestrator.service.responses.request import chat_of
from orchestrator.service.streaming import EventStream
from orchestrator.service.translated import TranslatedStream
from orchestrator.trace import Trace

__all__ = ["RESPONSES"]


class _Responses:
    """OpenAI's Responses API; its errors are those of chat."""

    path = "/v1/responses"
    remembers = True

    async def recalled(self, engine: Engine, body: dict[str, Any], caller: str) -> dict[str, Any]:
        return {**await recalled(engine, body, caller), "store": is_kept(engine, body)}

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        return chat_of(body)

    def out(self, send: Send, trace: Trace, scope: Scope, body: Mapping[str, Any]) -> EventStream:  # noqa: ARG002 - as every surface
        return TranslatedStream(send, trace, Answering(body))

    def keep(self, engine: Engine, body: Mapping[str, Any], out: EventStream, caller: str) -> None:
        answering = out.translation if isinstance(out, TranslatedStream) else None
        if engine.store is not None and body["store"] and isinstance(answering, Answering) and answering.ended:
            engine.store.responded(answering.id, caller, kept_items(body, answering.output))

    def error(self, error: OrchestratorError, headers: Mapping[str, str] | None) -> Response:
        return CHAT.error(error, headers)

    def bug(self) -> Response:
        return CHAT.bug()


RESPONSES: Surface = _Responses()
