"""Turns one server's answer into a draft: every byte as it came, but for the `model` of streamed chunks."""

from __future__ import annotations

from contextlib import suppress

import orjson

from orchestrator import clock
from orchestrator.errors import ExpertFailed
from orchestrator.experts.vllm.client import Answer
from orchestrator.experts.vllm.faults import Faults, error_message
from orchestrator.types import AtOnce, Chunk, Draft, Emit, at_once
from orchestrator.wire import Assembled, Renaming, read_completion

__all__ = ["Relay"]

_DONE = b"[DONE]"


class Passing:
    """Passes events on the moment they come; refuses what ends a stream, is no chunk, or has to wait."""

    __slots__ = ("_assembled", "_now", "_renamed")

    def __init__(self, now: AtOnce, assembled: Assembled, renamed: Renaming) -> None:
        self._now = now
        self._assembled = assembled
        self._renamed = renamed

    def __call__(self, data: bytes) -> bool:
        if data == _DONE or b'"error"' in data:
            return False
        try:
            news = self._assembled.read(data)
        except ValueError:  # told by whoever gets it then
            return False
        if not self._now(Chunk(self._renamed(data))):
            return False
        self._assembled.take(news)
        return True


class Relay:
    """Reads one answer for an expert.

    started: when the expert was asked, on anyio's clock. replica: the address to name in the draft.
    """

    def __init__(self, expert: str, answer: Answer, *, faults: Faults, replica: str, started: float) -> None:
        self._expert = expert
        self._answer = answer
        self._faults = faults
        self._replica = replica
        self._started = started

    async def whole(self) -> Draft:
        """The draft of an answer that is not streamed; its completion is the body as it came."""
        body = await self._answer.whole()
        if b'"error"' in body:
            self._check_no_error(body)
        try:
            text, finish_reason, usage = read_completion(orjson.loads(body))
        except ValueError as error:  # orjson's too
            raise self._faults.make(ExpertFailed, str(error)) from error
        return Draft(
            expert=self._expert,
            text=text,
            finish_reason=finish_reason,
            usage=usage,
            total_s=clock.now() - self._started,
            completion=body,
            replica=self._replica,
        )

    async def streamed(self, emit: Emit) -> Draft:
        """The draft of a stream, each chunk emitted when it came."""
        assembled, renamed = Assembled(), Renaming(self._expert)
        first_at: float | None = None
        passing: Passing | None = None
        while True:
            for data in await self._answer.events(passing):
                if data == _DONE:
                    await self._answer.finish()
                    return self._sum_up(assembled, first_at)
                if b'"error"' in data:  # inside a JSON string a quote is escaped: a key or a whole string
                    self._check_no_error(data)
                chunk = Chunk(renamed(data))
                try:
                    assembled.add(chunk)
                except ValueError as error:
                    raise self._faults.make(ExpertFailed, str(error)) from error
                if first_at is None:
                    first_at = clock.now()
                await emit(chunk)
                if passing is None and (now := at_once(emit)) is not None:
                    passing = Passing(now, assembled, renamed)

    def _check_no_error(self, data: bytes) -> None:
        with suppress(orjson.JSONDecodeError):
            message = error_message(orjson.loads(data))
            if message is not None:
                raise self._faults.make(ExpertFailed, message)

    def _sum_up(self, assembled: Assembled, first_at: float | None) -> Draft:
        return Draft(
            expert=self._expert,
            text=assembled.text,
            finish_reason=assembled.finish_reason or "stop",
            usage=assembled.usage,
            total_s=clock.now() - self._started,
            first_token_s=None if first_at is None else first_at - self._started,
            replica=self._replica,
        )
