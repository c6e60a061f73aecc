"""The endpoints that answer with text: chat and completions, whole or streamed, with the fault of the hour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
from aiohttp import web

from orchestrator.testing.fake_vllm.chat import chat
from orchestrator.testing.fake_vllm.checks import check_sampling, parsed
from orchestrator.testing.fake_vllm.completions import completions
from orchestrator.testing.fake_vllm.engine import Job
from orchestrator.testing.fake_vllm.errors import Refused, error_object
from orchestrator.testing.fake_vllm.said import Asked, Said
from orchestrator.testing.fake_vllm.state import Recorded, ServerState
from orchestrator.testing.faults import Cut, Drop, Fault, Garbage, Hang, Hold, Status, StreamError

__all__ = ["Generation"]

_DONE = b"[DONE]"


class Generation:
    """The handlers, over the state of one server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        return await self._generate(request, chat, needs="messages")

    async def completions(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/completions`."""
        return await self._generate(request, completions, needs="prompt")

    async def _generate(
        self, request: web.Request, compose: Callable[[Asked], Said], *, needs: str
    ) -> web.StreamResponse:
        state = self._state
        raw = await request.read()
        recorded = Recorded(headers=dict(request.headers), raw=raw, path=request.path, asleep=state.asleep)
        state.note(recorded)
        state.tell()
        fault = state.fault
        if isinstance(fault, Status):
            return _refused(fault)
        asked = self._asked(request, recorded, needs)
        said = compose(asked)
        adapter = asked.model if asked.model in state.adapters.loaded else None
        came = anyio.current_time()
        async with self._counted(), state.engine.job(adapter) as job:
            if isinstance(fault, Drop):
                _hang_up(request)
                return web.Response()
            send = self._stream if asked.body.get("stream") else self._whole
            response = await send(request, said, job=job, fault=fault)
            state.counts.whole.add(anyio.current_time() - came)
            return response

    def _asked(self, request: web.Request, recorded: Recorded, needs: str) -> Asked:
        state = self._state
        body = parsed(recorded.raw)
        if not isinstance(body.get(needs), list) and not (needs == "prompt" and body.get(needs)):
            raise Refused(400, "Field required", param=f"body.{needs}", kind="Bad Request")
        model = body.get("model")
        if not state.serves(model):
            raise Refused(404, f"The model `{model}` does not exist.", param="model")
        check_sampling(body)
        return Asked(
            body=body,
            model=str(model),
            echo=state.echo or str(model),
            request_id=request.headers.get("X-Request-Id"),
            answer=state.said(body),
            logprob_of=state.logprob,
            max_model_len=state.max_model_len,
        )

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        try:
            yield
        except (anyio.get_cancelled_exc_class(), ConnectionResetError):
            self._state.aborted += 1
            raise
        finally:
            self._state.tell()

    async def _whole(self, request: web.Request, said: Said, *, job: Job, fault: Fault | None) -> web.StreamResponse:
        state = self._state
        raw = said.whole
        if isinstance(fault, Garbage):
            raw = fault.data
        elif isinstance(fault, StreamError):
            raw = error_object(500, fault.message)
        with job.scope:
            await self._begin(fault)
            await state.engine.step(state.pace_s * len(said.events))
        aborted = job.scope.cancelled_caught
        if aborted:
            raw = said.aborted_whole
        state.note_sent(raw)
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(raw))})
        await response.prepare(request)
        if isinstance(fault, Hold):
            await fault.release.wait()
        if isinstance(fault, Cut):
            await response.write(raw[: len(raw) // 2])
            _hang_up(request)
            return response
        await response.write_eof(raw)
        self._finished(said, aborted=aborted)
        return response

    async def _stream(self, request: web.Request, said: Said, *, job: Job, fault: Fault | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        events = _spoiled([*said.events, _DONE], fault)
        with job.scope:
            await self._begin(fault)
            for index, event in enumerate(events):
                if isinstance(fault, Hold) and index == fault.after:
                    await fault.release.wait()
                await self._state.engine.step(self._state.pace_s if index else 0)
                await self._event(response, event)
        aborted = job.scope.cancelled_caught
        if aborted:
            await self._event(response, said.aborted_event)
            await self._event(response, _DONE)
        if isinstance(fault, Cut) and not fault.clean:
            _hang_up(request)
            return response
        await response.write_eof()
        self._finished(said, aborted=aborted)
        return response

    async def _begin(self, fault: Fault | None) -> None:
        if isinstance(fault, Hang):
            await anyio.sleep_forever()
        await self._state.engine.step(self._state.first_s)
        self._state.counts.first_token.add(self._state.first_s)

    async def _event(self, response: web.StreamResponse, event: bytes) -> None:
        self._state.note_sent(event)
        await response.write(b"data: " + event + self._state.newline * 2)

    def _finished(self, said: Said, *, aborted: bool) -> None:
        self._state.counts.finish(
            "abort" if aborted else said.finish_reason,
            prompt_tokens=said.prompt_tokens,
            output_tokens=0 if aborted else said.output_tokens,
        )


def _refused(fault: Status) -> web.Response:
    body = error_object(fault.code, fault.message) if fault.body is None else fault.body
    return web.Response(status=fault.code, body=body, headers={"Content-Type": "application/json", **fault.headers})


def _spoiled(events: Sequence[bytes], fault: Fault | None) -> Sequence[bytes]:
    """The events as the fault leaves them."""
    match fault:
        case Cut(after=after):
            return events[:after]
        case Garbage(after=after, data=data):
            return [*events[:after], data, *events[after:]]
        case StreamError(after=after, message=message):
            return [*events[:after], error_object(500, message), _DONE]
        case _:
            return events


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
