"""An expert in memory that answers what a test tells it to, when the test allows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel

from orchestrator.errors import ExpertError, ExpertFailed, ExpertRejected, ExpertTimeout
from orchestrator.experts.protocol import Capabilities, TokenLogprobs
from orchestrator.types import ChatRequest, Chunk, Draft, Emit, Passage, Usage
from orchestrator.wire import Assembled, ChunkWriter

__all__ = ["Reply", "ScriptedExpert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a `ScriptedExpert`.

    pieces: the answer's text, one chunk each when it is streamed.
    chunks: whole chunk bodies to emit instead, byte for byte (tool calls, unknown fields).
    before: what the reply waits for before it begins.
    between: what it waits for after its first chunk, or in the middle of an answer that is not streamed.
    error: raised at the end, after all pieces went out.
    completion, passages, structured: parts of the draft, as in `Draft`.
    """

    pieces: tuple[str, ...] = ()
    chunks: tuple[bytes, ...] = ()
    before: anyio.Event | None = None
    between: anyio.Event | None = None
    error: ExpertError | None = None
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=lambda: Usage(input_tokens=3, output_tokens=2))
    completion: bytes | None = None
    passages: tuple[Passage, ...] = ()
    structured: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, text: str) -> Reply:
        """A reply that streams word by word."""
        return cls(pieces=tuple(text.replace(" ", " \0").split("\0")) if text else ())

    @property
    def text(self) -> str:
        """The whole answer."""
        assembled = Assembled()
        for raw in self.chunks:
            assembled.add(Chunk(raw))
        return assembled.text if self.chunks else "".join(self.pieces)

    def stream(self, model: str, *, with_usage: bool) -> list[Chunk]:
        """Its chunks in order, up to where the error comes."""
        if self.chunks:
            return [Chunk(raw) for raw in self.chunks]
        writer = ChunkWriter(model)
        chunks = [writer.role(), *(writer.text(piece) for piece in self.pieces)]
        if self.error is None:
            chunks.append(writer.end(self.finish_reason, citations=self.passages))
            chunks.extend([writer.usage(self.usage)] if with_usage else [])
        return chunks


class ScriptedExpert:
    """Gives its replies in order, the last one again and again; a string is a reply of that text.

    An `ExpertError` in the script is raised instead. `requests` are those it was asked, `asked` is set at the first;
    `running` counts those under way and `cancelled` those that their callers left.

    nll: what makes it a scorer: the mean negative log-likelihood per token that it gives each answer, an error that it
    raises instead, or an event for which it waits for ever so long. It takes words for tokens, all equally likely.
    """

    def __init__(
        self,
        expert_id: str,
        *script: Reply | ExpertError | str,
        capabilities: Capabilities | None = None,
        nll: Mapping[str, float | ExpertError | anyio.Event] | None = None,
    ) -> None:
        self.id = expert_id
        self.capabilities = capabilities or Capabilities(tools=True, score=nll is not None)
        self.scored: list[str] = []
        self._nll = nll or {}
        self.requests: list[ChatRequest] = []
        self.asked = anyio.Event()
        self.running = 0
        self.cancelled = 0
        self._script = script or ("scripted answer",)

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        started = anyio.current_time()
        reply = self._next(request)
        with self._counted(), anyio.move_on_after(request.left_s):
            first_at = await self._perform(reply, request, emit)
            return Draft(
                expert=self.id,
                text=reply.text,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                total_s=anyio.current_time() - started,
                first_token_s=None if first_at is None else first_at - started,
                completion=None if request.stream else reply.completion,
                passages=reply.passages,
                structured=reply.structured,
            )
        raise ExpertTimeout(self.id, "the script did not go on before the deadline")

    async def score(self, request: ChatRequest, answer: str) -> TokenLogprobs:
        await anyio.lowlevel.checkpoint()
        self.scored.append(answer)
        nll = self._nll.get(answer)
        if isinstance(nll, ExpertError):
            raise nll
        if isinstance(nll, anyio.Event):
            with anyio.move_on_at(request.deadline):
                await nll.wait()
            raise ExpertTimeout(self.id, "the event was not set, or the deadline came before")
        if nll is None:
            raise ExpertFailed(self.id, f"the script has no likelihood of {answer!r}")
        tokens = tuple(answer.split())
        usage = Usage(input_tokens=len(tokens) + 1, output_tokens=1)
        return TokenLogprobs(tokens=tokens, logprobs=(-nll,) * len(tokens), usage=usage)

    async def score_turns(self, request: ChatRequest, texts: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """As `score`, of each of the texts."""
        found: list[TokenLogprobs | ExpertError] = []
        for text in texts:
            try:
                found.append(await self.score(request, text))
            except ExpertError as error:
                found.append(error)
        return found

    def _next(self, request: ChatRequest) -> Reply:
        entry = self._script[min(len(self.requests), len(self._script) - 1)]
        self.requests.append(request)
        self.asked.set()
        if not isinstance(request.body.get("messages"), list):
            raise ExpertRejected(self.id, "messages: expected a list")
        if isinstance(entry, ExpertError):
            raise entry
        return Reply.of(entry) if isinstance(entry, str) else entry

    async def _perform(self, reply: Reply, request: ChatRequest, emit: Emit) -> float | None:
        """Play the reply; the time of its first chunk, None when it is not streamed."""
        await anyio.lowlevel.checkpoint()
        if reply.before is not None:
            await reply.before.wait()
        first_at, rest = None, list[Chunk]()
        if request.stream:
            options = request.body.get("stream_options") or {}
            first, *rest = reply.stream(self.id, with_usage=bool(options.get("include_usage")))
            first_at = anyio.current_time()
            await emit(first)
        if reply.between is not None:
            await reply.between.wait()
        for chunk in rest:
            await emit(chunk)
        if reply.error is not None:
            raise reply.error
        return first_at

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.running += 1
        try:
            yield
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
