"""Does an expert keep the contract of `orchestrator.experts.protocol`? For authors of kinds, and for our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from orchestrator.errors import ExpertError
from orchestrator.experts.protocol import Capabilities, Expert, Supervised
from orchestrator.types import ChatRequest, Chunk, Draft, Emit, Usage
from orchestrator.wire import Assembled, read_completion

__all__ = ["ConformanceError", "check_expert", "in_service"]

_QUESTION: Mapping[str, Any] = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}
_BAD_BODIES: Sequence[Mapping[str, Any]] = (
    {},
    {"messages": "not a list"},
    {"messages": []},
    {"messages": [{"content": "no role"}]},
    {"messages": ["not an object"]},
)


class ConformanceError(AssertionError):
    """The contract is broken; the message says which rule and how."""


@asynccontextmanager
async def in_service(*experts: Expert) -> AsyncIterator[None]:
    """Lets experts that live do so inside the block, which begins after each one's first attempt to get ready."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        for expert in experts:
            if isinstance(expert, Supervised):
                await group.start(expert.serve)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised below as it was, not within the task group's bundle
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def check_expert(
    expert: Expert, *, body: Mapping[str, Any] = _QUESTION, limit_s: float = 60.0, leaves_within_s: float = 5.0
) -> None:
    """Ask an expert that is in service, well and badly; raises `ConformanceError` where it breaks a rule.

    body: a chat body that it should answer; `model` and `stream` are filled in.
    limit_s: seconds for each answer. leaves_within_s: the longest it may take to leave once cancelled or late.
    """
    check = _Check(expert, {"model": expert.id, **body}, limit_s, leaves_within_s)
    check.attributes()
    await check.whole_answer()
    if expert.capabilities.stream:
        await check.streamed_answer()
        await check.leaves_while_emitting()
    for after_s in (0.0, 0.05):
        await check.leaves_when_cancelled(after_s)
    await check.ends_at_the_deadline()
    for bad in _BAD_BODIES:
        await check.fails_like_an_expert({"model": expert.id, **bad})


class _Check:
    """The rules, one method each."""

    def __init__(self, expert: Expert, body: Mapping[str, Any], limit_s: float, leaves_within_s: float) -> None:
        self._expert = expert
        self._body = body
        self._limit_s = limit_s
        self._leaves_within_s = leaves_within_s

    def attributes(self) -> None:
        identity: object = self._expert.id
        if not isinstance(identity, str) or not identity:
            raise self._breach(f"id must be a string that is not empty, not {identity!r}")
        if not isinstance(self._expert.capabilities, Capabilities):
            raise self._breach(f"capabilities must be Capabilities, not {self._expert.capabilities!r}")

    async def whole_answer(self) -> None:
        chunks: list[Chunk] = []
        draft = await self._answer({**self._body, "stream": False}, _collect(chunks))
        if chunks:
            raise self._breach(f"an answer that is not streamed emitted {len(chunks)} chunks: {chunks[0].raw!r}...")
        if draft.completion is not None:
            try:
                text, *_ = read_completion(Chunk(draft.completion).data)
            except ValueError as error:
                raise self._breach(f"the draft's completion cannot be read: {error}") from error
            if text != draft.text:
                raise self._breach(f"the draft's text is {draft.text!r}, its completion says {text!r}")

    async def streamed_answer(self) -> None:
        chunks: list[Chunk] = []
        body = {**self._body, "stream": True, "stream_options": {"include_usage": True}}
        draft = await self._answer(body, _collect(chunks))
        assembled = self._sum_of(chunks)
        if assembled.text != draft.text:
            raise self._breach(f"the chunks add up to {assembled.text!r}, the draft's text is {draft.text!r}")
        if assembled.finish_reason != draft.finish_reason:
            raise self._breach(f"the chunks say {assembled.finish_reason!r}, the draft {draft.finish_reason!r}")
        if assembled.usage not in (Usage(), draft.usage):
            raise self._breach(f"the chunks say {assembled.usage}, the draft {draft.usage}")

    def _sum_of(self, chunks: Sequence[Chunk]) -> Assembled:
        assembled, model = Assembled(), self._expert.id
        for chunk in chunks:
            ended = assembled.finish_reason is not None
            try:
                assembled.add(chunk)
            except ValueError as error:
                raise self._breach(f"it emitted what is {error}: {chunk.raw!r}") from error
            if ended and chunk.data["choices"]:
                raise self._breach(f"a chunk came after the finish reason: {chunk.raw!r}")
            if chunk.data.get("model") != model:
                raise self._breach(f"a chunk's model must be the expert's id {model!r}: {chunk.raw!r}")
        return assembled

    async def leaves_while_emitting(self) -> None:
        cancelled_at: list[float] = []
        with anyio.CancelScope() as scope:

            async def client_left(_: Chunk) -> None:
                cancelled_at.append(anyio.current_time())
                scope.cancel()
                await anyio.sleep_forever()

            await self._outcome({**self._body, "stream": True}, client_left)
        if not cancelled_at:
            raise self._breach("a streamed answer emitted nothing")
        if not scope.cancelled_caught:
            raise self._breach("it was cancelled while it emitted, and went on as if nothing had happened")
        self._check_left(since=cancelled_at[0])

    async def leaves_when_cancelled(self, after_s: float) -> None:
        started = anyio.current_time()
        with anyio.move_on_after(after_s):
            await self._outcome({**self._body, "stream": False}, _collect([]))
        self._check_left(since=started + after_s)

    async def ends_at_the_deadline(self) -> None:
        left_s = 0.05
        started = anyio.current_time()
        await self._outcome({**self._body, "stream": False}, _collect([]), left_s=left_s)
        self._check_left(since=started + left_s)

    async def fails_like_an_expert(self, bad: Mapping[str, Any]) -> None:
        await self._outcome(bad, _collect([]))

    async def _answer(self, body: Mapping[str, Any], emit: Emit) -> Draft:
        """The draft of a body that it should answer."""
        outcome = await self._outcome(body, emit)
        if not isinstance(outcome, Draft):
            raise self._breach(f"it did not answer {dict(body)!r}: {type(outcome).__name__}: {outcome}")
        return outcome

    async def _outcome(
        self, body: Mapping[str, Any], emit: Emit, *, left_s: float | None = None
    ) -> Draft | ExpertError:
        """What comes of a request; anything but a draft or an `ExpertError` of this expert breaks the contract."""
        limit_s = self._limit_s if left_s is None else left_s
        with anyio.move_on_after(limit_s + self._leaves_within_s):
            request = ChatRequest(body=body, deadline=anyio.current_time() + limit_s)
            try:
                outcome: Draft | ExpertError = await self._expert.draft(request, emit)
            except ExpertError as error:
                outcome = error
            except Exception as error:
                raise self._breach(f"{dict(body)!r} raised {type(error).__name__} instead of an ExpertError") from error
            if outcome.expert != self._expert.id:
                raise self._breach(f"it answers for {outcome.expert!r}: {outcome!r}")
            return outcome
        raise self._breach(f"it was still busy {self._leaves_within_s:g} s past the deadline of {dict(body)!r}")

    def _check_left(self, *, since: float) -> None:
        took_s = anyio.current_time() - since
        if took_s > self._leaves_within_s:
            raise self._breach(f"it took {took_s:.1f} s to leave; allowed are {self._leaves_within_s:g} s")

    def _breach(self, how: str) -> ConformanceError:
        return ConformanceError(f"expert {self._expert.id!r}: {how}")


def _collect(chunks: list[Chunk]) -> Emit:
    async def emit(chunk: Chunk) -> None:
        chunks.append(chunk)

    return emit
