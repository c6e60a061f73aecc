"""Answers in the form of another API: chat chunks in, that API's events out. Knows no API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson
from starlette.types import Send

from orchestrator.errors import ExpertFailed, OrchestratorError
from orchestrator.service.body import nests_too_deeply
from orchestrator.service.streaming import EventStream
from orchestrator.trace import Trace
from orchestrator.types import Chunk, Draft
from orchestrator.wire import completion

__all__ = ["Event", "TranslatedStream", "Translation"]

Event = Mapping[str, Any]
"""The data of one event; its `type` is its name too."""
_NO_CHAT = "the answer cannot be read: {error}"


class Translation(Protocol):
    """How one answer reads in another API; holds what was said so far.

    What is told of an answer, whole or in chunks, may be anything: ValueError where it is no chat answer.
    """

    def whole(self, completion: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of an answer that is not streamed, from that of a chat."""
        ...

    def opening(self, model: str) -> Iterable[Event]:
        """What a stream begins with. model: who answers."""
        ...

    def chunk(self, data: Mapping[str, Any]) -> Iterable[Event]:
        """What one chat chunk becomes."""
        ...

    def closing(self) -> Iterable[Event]:
        """What a stream ends with."""
        ...

    def failure(self, error: OrchestratorError) -> Iterable[Event]:
        """What it ends with where it breaks off."""
        ...


class TranslatedStream(EventStream):
    """An `emit` of chat chunks that sends the events of another API."""

    __slots__ = ("_opened", "_translation")

    def __init__(self, send: Send, trace: Trace, translation: Translation) -> None:
        super().__init__(send, trace)
        self._translation = translation
        self._opened = False

    async def __call__(self, chunk: Chunk) -> None:
        if not self.begun:
            await self._begin()
        data = chunk.data
        if not self._opened:
            self._opened = True
            await self._events(self._translation.opening(str(data.get("model", ""))))
        if nests_too_deeply(chunk.raw, data):
            raise ExpertFailed(self._trace.expert or "", _NO_CHAT.format(error="a chunk is nested too deeply"))
        try:
            events = list(self._translation.chunk(data))
        except ValueError as error:
            raise ExpertFailed(self._trace.expert or "", _NO_CHAT.format(error=error)) from error
        await self._events(events)

    @property
    def translation(self) -> Translation:
        """What turns chunks into events."""
        return self._translation

    def now(self, chunk: Chunk) -> bool:  # noqa: ARG002 - as the streams that can
        """Never: events have to be put together first."""
        return False

    async def answer(self, draft: Draft) -> None:
        """An answer that is not streamed."""
        raw = completion(draft, model=draft.expert)
        try:
            body = orjson.loads(raw)
            if nests_too_deeply(raw, body):
                raise ValueError("it is nested too deeply")  # noqa: TRY301 - as the translation says it
            whole = orjson.dumps(self._translation.whole(body))
        except ValueError as error:
            failed = ExpertFailed(draft.expert, _NO_CHAT.format(error=error))
            self._trace.fail(failed)
            raise failed from error
        await self._whole(whole)

    async def end(self) -> None:
        """The end of an answer that is whole."""
        if not self.begun:
            await self._begin()
        if not self._opened:
            await self._events(self._translation.opening(self._trace.expert or ""))
        await self._events(self._translation.closing())
        await self._send({"type": "http.response.body", "body": self._last_comment()})

    async def fail(self, error: OrchestratorError) -> None:
        """The end of an answer that broke off."""
        await self._events(self._translation.failure(error))
        await self._send({"type": "http.response.body", "body": b""})

    async def _events(self, events: Iterable[Event]) -> None:
        raw = b"".join([b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), orjson.dumps(e)) for e in events])
        if raw:
            await self._send({"type": "http.response.body", "body": raw, "more_body": True})
