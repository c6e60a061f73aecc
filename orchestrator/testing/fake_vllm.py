"""A loopback server that speaks vLLM's chat API, with faults that a test switches at run time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import anyio
from aiohttp import web

from orchestrator.testing.answers import Answer
from orchestrator.testing.faults import Cut, Drop, Fault, Garbage, Hang, Hold, Status, StreamError

__all__ = ["FakeVLLM", "Recorded"]

_DONE = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One chat request as the server got it."""

    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed


class FakeVLLM:
    """`async with FakeVLLM() as server:` serves `/health`, `/v1/models` and `/v1/chat/completions` at `server.url`.

    What may be changed while it runs: `answer` (what it says, or a function of the body that says so), `fault` (what
    goes wrong, None for nothing), `health` (the status of `/health`), `echo` (the `model` it puts into answers; None:
    the one it was asked for) and `newline` (how its events' lines end).

    What it saw: `requests`; `sent`, the data of all events and all whole bodies in order; `running` and `aborted`,
    the chat requests under way and those whose client left; `probes` of `/health`. `until` waits for such a fact.
    """

    def __init__(
        self,
        *,
        models: Sequence[str] = ("fake-model",),
        answer: Answer | Callable[[Mapping[str, Any]], Answer] | None = None,
        api_key: str | None = None,
    ) -> None:
        self.models = tuple(models)
        self.answer = answer or Answer()
        self.fault: Fault | None = None
        self.health = 200
        self.echo: str | None = None
        self.newline = b"\n"
        self.requests: list[Recorded] = []
        self.sent: list[bytes] = []
        self.running = 0
        self.aborted = 0
        self.probes = 0
        self._api_key = api_key
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._changed = anyio.Event()

    @property
    def url(self) -> str:
        """The base URL, without /v1; it stays the same when the server stops listening and starts again."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.refuse()

    async def listen(self) -> None:
        """Accept connections (again)."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        # The handler of a client that left is cancelled, as vLLM aborts such a request.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def refuse(self) -> None:
        """Close the port and every connection, as a server that died."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something that the server saw makes `fact` true."""
        while not fact():
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _health(self, _: web.Request) -> web.Response:
        self.probes += 1
        self._tell()
        return web.Response(status=self.health)

    async def _models(self, _: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "owned_by": "fake"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        recorded = Recorded(headers=dict(request.headers), raw=await request.read())
        self.requests.append(recorded)
        async with self._counted():
            refusal = self._refusal(recorded)
            if refusal is not None:
                return refusal
            if isinstance(self.fault, Hang):
                await anyio.sleep_forever()
            if isinstance(self.fault, Drop):
                _hang_up(request)
                return web.Response()
            if recorded.body.get("stream"):
                return await self._stream(request, recorded.body)
            return await self._whole(request, recorded.body)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.running += 1
        self._tell()
        try:
            yield
        except (anyio.get_cancelled_exc_class(), ConnectionResetError):
            self.aborted += 1
            raise
        finally:
            self.running -= 1
            self._tell()

    def _refusal(self, recorded: Recorded) -> web.Response | None:
        """The error answer that this request deserves or that the fault orders."""
        if self._api_key is not None and recorded.headers.get("Authorization") != f"Bearer {self._api_key}":
            return _error(401, "Unauthorized")
        if isinstance(self.fault, Status):
            answer = _error(self.fault.code, self.fault.message)
            answer.headers.update(self.fault.headers)
            answer.body = answer.body if self.fault.body is None else self.fault.body
            return answer
        try:
            body: object = json.loads(recorded.raw)
        except ValueError:
            return _error(400, "JSON decode error")
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return _error(400, "Field required", param="body.messages")
        if body.get("model") not in self.models:
            return _error(404, f"The model `{body.get('model')}` does not exist.", param="model")
        return None

    async def _whole(self, request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        raw = self._said(body).completion(self.echo or body["model"], logprobs=bool(body.get("logprobs")))
        fault = self.fault
        if isinstance(fault, Garbage):
            raw = fault.data
        elif isinstance(fault, StreamError):
            raw = _error_object(500, fault.message)
        self.sent.append(raw)
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(raw))})
        await response.prepare(request)
        if isinstance(fault, Hold):
            await fault.release.wait()
        if isinstance(fault, Cut):
            await response.write(raw[: len(raw) // 2])
            _hang_up(request)
        else:
            await response.write_eof(raw)
        return response

    async def _stream(self, request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        fault = self.fault
        for index, event in enumerate(_spoiled(self._events(body), fault)):
            if isinstance(fault, Hold) and index == fault.after:
                await fault.release.wait()
            self.sent.append(event)
            await response.write(b"data: " + event + self.newline * 2)
        if isinstance(fault, Cut) and not fault.clean:
            _hang_up(request)
        else:
            await response.write_eof()
        return response

    def _said(self, body: Mapping[str, Any]) -> Answer:
        return self.answer if isinstance(self.answer, Answer) else self.answer(body)

    def _events(self, body: Mapping[str, Any]) -> list[bytes]:
        options = body.get("stream_options") or {}
        chunks = self._said(body).chunks(
            self.echo or body["model"], logprobs=bool(body.get("logprobs")), usage=bool(options.get("include_usage"))
        )
        return [*chunks, _DONE]


def _spoiled(events: Sequence[bytes], fault: Fault | None) -> Sequence[bytes]:
    """The events as the fault leaves them."""
    match fault:
        case Cut(after=after):
            return events[:after]
        case Garbage(after=after, data=data):
            return [*events[:after], data, *events[after:]]
        case StreamError(after=after, message=message):
            return [*events[:after], _error_object(500, message), _DONE]
        case _:
            return events


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _error_object(code: int, message: str, param: str | None = None) -> bytes:
    kind = {400: "BadRequestError", 401: "Unauthorized", 404: "NotFoundError"}.get(code, "InternalServerError")
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


def _error(code: int, message: str, *, param: str | None = None) -> web.Response:
    return web.Response(status=code, body=_error_object(code, message, param), content_type="application/json")
