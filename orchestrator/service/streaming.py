"""Answers out: as one body or as server-sent events, straight from the expert's chunks to the client's socket.

There is no queue between: `emit` waits until the server has taken the event, which is the back-pressure.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import anyio
import orjson
from starlette.types import Receive, Send

from orchestrator.errors import OrchestratorError
from orchestrator.service.direct import Direct
from orchestrator.service.errors import error_body
from orchestrator.service.headers import decision_headers, header_lines
from orchestrator.trace import Trace
from orchestrator.types import Chunk, Draft, Progress
from orchestrator.wire import completion, progress_fields

__all__ = ["EventStream", "Hangup"]

LOOK_AFTER_S = 0.02
"""An answer that is out by then needs nobody to look whether its client is still there."""
_TICK_S = 0.002
"""Event loops round times, so that a timer may be early by so much."""
_DECISION = b'"orchestrator"'
_DONE = b"data: [DONE]\n\n"
_JSON = (b"content-type", b"application/json")
_EVENT_STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_JSON_LINE = b"%b: %b\r\n" % _JSON
_EVENT_STREAM_LINES = b"".join(b"%b: %b\r\n" % field for field in _EVENT_STREAM)


class Hangup:
    """`with Hangup(receive, deadline) as hangup:` cancels its block when the client goes away, or at the deadline.

    `left` and `late` say so afterwards. What the block started ends with it: experts' connections close, and their
    servers stop generating. The body must have been read before. deadline: on the event loop's clock.
    """

    __slots__ = ("_deadline", "_receive", "_task", "_timer", "_watcher", "late", "left")

    def __init__(self, receive: Receive, deadline: float) -> None:
        self._receive = receive
        self._deadline = deadline
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.left = self.late = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(min(self._deadline, loop.time() + LOOK_AFTER_S), self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if not (self.left or self.late) or not isinstance(error, asyncio.CancelledError) or self._task is None:
            return False
        # Somebody else's cancellation, the service's shut-down say, goes on.
        return self._task.uncancel() == 0

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if self._watcher is None:
            self._watcher = loop.create_task(self._watch(), name="client hangs up")
        if loop.time() + _TICK_S < self._deadline:
            self._timer = loop.call_at(self._deadline, self._look)
        elif self._task is not None:
            self.late = True
            self._task.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._task is not None and not self.late:
            self.left = True
            self._task.cancel()


class EventStream:
    """The answer to one request: an `emit` that sends each chunk as an event, or one whole body.

    Status and headers of a stream go out with its first chunk. Only then is it known who answers, and an error that
    comes before is an ordinary error response. direct: the short way out, where the server offers it. verbose: more
    headers. explaining: the decision goes with the answer, as `orchestrator` of the body or in a stream's last comment.
    """

    __slots__ = ("_direct", "_reporting", "_send", "_trace", "begun", "explaining", "verbose")

    def __init__(self, send: Send, trace: Trace, direct: Direct | None = None) -> None:
        self._send = send
        self._trace = trace
        self._direct = direct
        self._reporting = False
        self.begun = self.explaining = self.verbose = False

    async def __call__(self, chunk: Chunk) -> None:
        if not self.begun:
            await self._begin()
        event = _event(chunk.raw)
        if self._direct is None or not self._direct.piece(event):
            await self._send({"type": "http.response.body", "body": event, "more_body": True})

    def now(self, chunk: Chunk) -> bool:
        """Send a further chunk if the client's socket takes it at once."""
        return self._direct is not None and self.begun and self._direct.piece(_event(chunk.raw))

    async def report(self, progress: Progress) -> None:
        """Say how far an expert is, in a comment, which clients that do not know it skip; it begins the stream.

        Nothing where another comment is still on its way: what is told next is newer.
        """
        if self._reporting:
            return
        self._reporting = True
        try:
            if not self.begun:
                with anyio.CancelScope(shield=True):  # a stream that has half begun could not go on
                    await self._begin()
            comment = b": progress %b\n\n" % orjson.dumps(progress_fields(progress))
            if self._direct is None or not self._direct.piece(comment):
                await self._send({"type": "http.response.body", "body": comment, "more_body": True})
        finally:
            self._reporting = False

    async def answer(self, draft: Draft) -> None:
        """An answer that is not streamed."""
        await self._whole(completion(draft, model=draft.expert))

    async def _whole(self, body: bytes) -> None:
        self.begun = True
        if self.explaining:
            body = b"%b,%b:%b}" % (body.rstrip()[:-1], _DECISION, self._decision())
        if self._direct is not None and self._direct.whole(_JSON_LINE + self._headers(), body):
            return
        length = (b"content-length", b"%d" % len(body))
        await self._start([_JSON, length])
        await self._send({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        """The end of an answer that is whole."""
        if not self.begun:
            await self._begin()
        await self._send({"type": "http.response.body", "body": self._last_comment() + _DONE})

    async def fail(self, error: OrchestratorError) -> None:
        """The end of an answer that broke off: one error event, and no `[DONE]`."""
        await self._send({"type": "http.response.body", "body": _event(orjson.dumps(error_body(error)))})

    async def _begin(self) -> None:
        self.begun = True
        if self._direct is None or not self._direct.start(_EVENT_STREAM_LINES + self._headers()):
            await self._start(_EVENT_STREAM)

    async def _start(self, headers: list[tuple[bytes, bytes]]) -> None:
        decided = decision_headers(self._trace, verbose=self.verbose).items()
        headers = [*headers, *((name.encode(), value.encode("latin-1")) for name, value in decided)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def _headers(self) -> bytes:
        return header_lines(self._trace, verbose=self.verbose)

    def _last_comment(self) -> bytes:
        return b": decision %b\n\n" % self._decision() if self.explaining else b""

    def _decision(self) -> bytes:
        return self._trace.decision().model_dump_json().encode()


def _event(raw: bytes) -> bytes:
    if b"\n" in raw or b"\r" in raw:  # inside JSON these are blanks between tokens; in an event they would end it
        raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: %b\n\n" % raw
