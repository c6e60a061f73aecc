"""The endpoints that answer with text: chat and completions, whole or streamed, with the fault of the hour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from aiohttp import web

from orchestrator.testing.fake_vllm.chat import chat
from orchestrator.testing.fake_vllm.checks import check_sampling, parsed
from orchestrator.testing.fake_vllm.completions import completions
from orchestrator.testing.fake_vllm.engine import Job
from orchestrator.testing.fake_vllm.errors import Refused
from orchestrator.testing.fake_vllm.said import Asked, Said
from orchestrator.testing.fake_vllm.spoiling import (
    DONE,
    before,
    hang_up,
    pause,
    refusal,
    reset,
    spoiled,
    spoiled_whole,
)
from orchestrator.testing.fake_vllm.state import Recorded, ServerState
from orchestrator.testing.faults import Cut, Fault, Reset, WrongModel

__all__ = ["Generation"]

_PIECE_BYTES = 64 * 1024


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
        recorded = Recorded(
            headers=dict(request.headers), raw=raw, path=request.path, asleep=state.asleep, fault=state.pick()
        )
        state.note(recorded)
        state.tell()
        fault = recorded.fault
        refused = refusal(fault)
        if refused is not None:
            return refused
        asked = self._asked(request, recorded, needs)
        said = compose(asked)
        adapter = asked.model if asked.model in state.adapters.loaded else None
        async with self._counted(), state.engine.job(adapter) as job:
            send = self._stream if asked.body.get("stream") else self._whole
            return await send(request, said, job=job, fault=fault)

    def _asked(self, request: web.Request, recorded: Recorded, needs: str) -> Asked:
        state = self._state
        body = parsed(recorded.raw)
        if not isinstance(body.get(needs), list) and not (needs == "prompt" and body.get(needs)):
            raise Refused(400, "Field required", param=f"body.{needs}", kind="Bad Request")
        model = body.get("model")
        if not state.serves(model):
            raise Refused(404, f"The model `{model}` does not exist.", param="model")
        check_sampling(body)
        other = recorded.fault.model if isinstance(recorded.fault, WrongModel) else state.echo
        return Asked(
            body=body,
            model=str(model),
            echo=other or str(model),
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
        raw = spoiled_whole(said.whole, fault)
        response = _whole_response(raw)
        with job.scope:
            if not await before(request, fault):
                return web.Response()
            await self._first(job)
            await self._state.engine.step(self._state.pace_s * len(said.events))
            self._state.note_sent(raw)
            await response.prepare(request)
            await pause(fault)
            if isinstance(fault, Cut | Reset):
                await response.write(raw[: len(raw) // 2])
                return _broken(request, response, fault)
            await response.write_eof(raw)
        aborted = job.scope.cancelled_caught
        self._finished(said, job, aborted=aborted)
        if aborted and response.prepared:
            hang_up(request)
        elif aborted:
            return web.Response(body=said.aborted_whole, content_type="application/json")
        return response

    async def _stream(self, request: web.Request, said: Said, *, job: Job, fault: Fault | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        with job.scope:
            if not await before(request, fault):
                return web.Response()
            await response.prepare(request)
            await self._first(job)
            for index, event in enumerate(spoiled([*said.events, DONE], fault)):
                await pause(fault, index)
                await self._state.engine.step(self._state.pace_s if index else 0)
                await self._event(response, event)
        if job.scope.cancelled_caught:
            await response.prepare(request)
            await self._event(response, said.aborted_event)
            await self._event(response, DONE)
        if isinstance(fault, Reset) or (isinstance(fault, Cut) and not fault.clean):
            return _broken(request, response, fault)
        await response.write_eof()
        self._finished(said, job, aborted=job.scope.cancelled_caught)
        return response

    async def _first(self, job: Job) -> None:
        await self._state.engine.step(self._state.first_s)
        self._state.counts.first_token.add(anyio.current_time() - job.came_at)

    async def _event(self, response: web.StreamResponse, event: bytes) -> None:
        self._state.note_sent(event)
        end = self._state.newline * 2
        if len(event) <= _PIECE_BYTES:
            await response.write(b"data: " + event + end)
            return
        # Piece by piece, as fast as it is read: many large ones at once would fill the memory.
        await response.write(b"data: ")
        for start in range(0, len(event), _PIECE_BYTES):
            await response.write(event[start : start + _PIECE_BYTES])
        await response.write(end)

    def _finished(self, said: Said, job: Job, *, aborted: bool) -> None:
        self._state.counts.whole.add(anyio.current_time() - job.came_at)
        self._state.counts.finish(
            "abort" if aborted else said.finish_reason,
            prompt_tokens=said.prompt_tokens,
            output_tokens=0 if aborted else said.output_tokens,
        )


def _whole_response(raw: bytes) -> web.StreamResponse:
    return web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(raw))})


def _broken(request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
    """End the connection, not the answer."""
    if isinstance(fault, Reset):
        reset(request.transport)
    else:
        hang_up(request)
    return response
