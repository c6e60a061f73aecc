"""The retriever expert: passages of a corpus, or a reader's answer from them.

With a reader, its chunks go out as they come, citations on the last one. A reader that is down, fails before its
first chunk or takes too long to it is replaced by the passages themselves; after it, its error is this expert's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import anyio
import structlog
from anyio import to_thread
from anyio.abc import TaskStatus

from orchestrator import wire
from orchestrator.config.kinds import RetrieverSettings
from orchestrator.conversation.turns import query_of
from orchestrator.errors import (
    ConfigError,
    ExpertError,
    ExpertFailed,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.protocol import Capabilities, Condition, LiveProblem, Supervised
from orchestrator.experts.retriever.adapted import open_adapter
from orchestrator.experts.retriever.answer import pieces, reader_request
from orchestrator.experts.retriever.citing import Citing, cited_draft
from orchestrator.experts.retriever.collected import unreadable
from orchestrator.experts.retriever.plan import Plan
from orchestrator.experts.retriever.reports import Reports
from orchestrator.experts.retriever.shelf import Shelf, open_shelf
from orchestrator.experts.retriever.sources import Skipped
from orchestrator.experts.site import Site
from orchestrator.types import ChatRequest, Chunk, Draft, Emit, Passage
from routers.errors import ArtifactError
from routers.retrievers.adapter import QueryAdapter

__all__ = ["RetrieverExpert"]

log = structlog.get_logger()

_READER_SHARE = 0.8
"""Of the time that is left, what a reader has for its first chunk (or its whole answer, where it does not stream)."""

_MOST_PROBLEMS = 20
_AGAIN_S = 30.0  # between attempts to get ready: a corpus that is mended is found without a restart


class RetrieverExpert:
    """Searches one corpus with one or several indexes."""

    capabilities = Capabilities(chat=False, retrieve=True)

    def __init__(self, id: str, settings: RetrieverSettings, site: Site) -> None:  # noqa: A002 - the contract's name
        self.id = id
        self._settings = settings
        self._site = site
        self._plan = Plan.of(settings, site.folder)
        self._shelf: Shelf | None = None
        self._adapter: QueryAdapter | None = None
        self._condition = Condition(state="starting", reason="not started yet")
        self._tried = anyio.Event()

    @property
    def condition(self) -> Condition:
        """Up once the corpus is read and indexed; the reason says then which of its files are left out."""
        return self._condition

    @property
    def state(self) -> str | None:
        """The name of the state of the corpus that is searched; None while there is none."""
        return None if self._shelf is None else self._shelf.passages.name

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Index the corpus, again and again until it works, then stay."""
        self._condition = Condition(state="starting", reason="reading and indexing the corpus")
        while not await self._prepared():
            self._first_attempt_over(task_status)
            await anyio.sleep(_AGAIN_S)
        self._first_attempt_over(task_status)
        await anyio.sleep_forever()

    async def live_problems(self) -> list[LiveProblem]:
        """Whether the corpus can be read; see `LiveChecked`."""
        place = self._site.cache / "corpora" / self._plan.key
        try:
            skipped = await to_thread.run_sync(unreadable, self._plan, place, abandon_on_cancel=True)
        except ConfigError as error:
            return [LiveProblem(key=("corpus",), message=problem) for problem in error.problems[:_MOST_PROBLEMS]]
        return [
            LiveProblem(key=("corpus",), message=f"left out: {one}", grade="note") for one in skipped[:_MOST_PROBLEMS]
        ]

    async def search(self, query: str, *, top_k: int) -> Sequence[Passage]:
        """The best passages for a query; none where nothing matches.

        Raises:
            ExpertError: there is no index, or the embedder failed.

        """
        await self._tried.wait()
        if self._shelf is None:
            raise ExpertUnavailable(self.id, self._condition.reason)
        settings = self._settings
        try:
            found = await self._shelf.search(
                query,
                indexes=settings.embedders,
                limit=top_k,
                adapter=self._adapter,
                approximate_above=settings.approximate_above,
            )
        except Exception as error:  # supervised border: an embedder is a plugin and may raise anything
            log.exception("retriever.search_failed", expert=self.id)
            raise ExpertFailed(self.id, f"search failed: {type(error).__name__}: {error}") from error
        return [
            Passage(
                expert=self.id,
                document=one.document,
                title=one.title,
                text=one.text,
                score=score,
                rank=rank,
                start=one.start,
                end=one.end,
                page=one.page,
            )
            for rank, (one, score) in enumerate(found, start=1)
        ]

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        """Answer the latest request of the conversation from the corpus."""
        with anyio.CancelScope(deadline=request.deadline):
            started = anyio.current_time()
            question, passages = await self._found(request)
            draft = await self._answered(request, question, passages, emit)
            return _timed(draft, anyio.current_time() - started)
        raise ExpertTimeout(self.id, f"no answer before the deadline (the retriever is {self._condition.state})")

    async def _found(self, request: ChatRequest) -> tuple[str, Sequence[Passage]]:
        try:
            question = query_of(request.messages)
        except (KeyError, TypeError, AttributeError) as error:
            raise ExpertRejected(self.id, "the request has no list of messages") from error
        if not question:
            raise ExpertRejected(self.id, "the request has no text to search for")
        passages = await self.search(question, top_k=self._settings.top_k)
        if not passages:
            raise ExpertRejected(self.id, f"nothing in {self._plan.title} matches the request")
        return question, passages

    async def _answered(self, request: ChatRequest, question: str, passages: Sequence[Passage], emit: Emit) -> Draft:
        if self._settings.reader is None:
            return await self._quoted(request, passages, emit)
        citing = Citing(passages)
        draft = await self._read(reader_request(request, question, passages), citing, emit)
        if draft is None:
            return await self._quoted(request, passages, emit)
        return cited_draft(draft, expert=self.id, citing=citing)

    async def _read(self, request: ChatRequest, citing: Citing, emit: Emit) -> Draft | None:
        """The reader's answer; None if it is down or did not begin one in its share of the time."""
        name = self._settings.reader or ""
        reader = self._site.expert(name)
        if isinstance(reader, Supervised) and reader.condition.state == "down":
            self._unread(f"it is down ({reader.condition.reason})")
            return None
        now = anyio.current_time()
        with anyio.CancelScope(deadline=now + _READER_SHARE * (request.deadline - now)) as scope:
            relay = _Relay(emit, model=self.id, citing=citing, waiting=scope)
            try:
                return await self._site.ask(name, request, relay)
            except ExpertError as error:
                if relay.begun:
                    raise error.passed_on(self.id) from error
                self._unread(str(error))
                return None
        self._unread("it did not begin in time")
        return None

    def _unread(self, reason: str) -> None:
        log.warning("retriever.reader_failed", expert=self.id, reader=self._settings.reader, error=reason)

    async def _quoted(self, request: ChatRequest, passages: Sequence[Passage], emit: Emit) -> Draft:
        """The passages themselves."""
        parts = pieces(passages)
        draft = Draft(expert=self.id, text="".join(parts), passages=tuple(passages), total_s=0.0)
        await wire.emit_whole(draft, request, emit, pieces=parts)
        return draft

    async def _prepared(self) -> bool:
        """Whether the indexes are there after one more attempt."""
        try:
            report = Reports(self.id)
            shelf = await open_shelf(self._plan, self._site, progress=report)
            for name in self._settings.embedders:
                await shelf.prepare(name, approximate_above=self._settings.approximate_above, progress=report)
            self._adapter = await self._opened_adapter()
        except Exception as error:  # noqa: BLE001 - supervised border: whatever it is, it is a reason to be down
            self._down(_reason(error))
            return False
        self._shelf = shelf
        skipped = shelf.passages.skipped
        for one in skipped[:_MOST_PROBLEMS]:
            log.warning("retriever.left_out", expert=self.id, file=one.name, line=one.line, reason=one.reason)
        self._condition = Condition(state="up", reason=_left_out(skipped))
        return True

    async def _opened_adapter(self) -> QueryAdapter | None:
        if self._settings.adapter is None:
            return None
        (name,) = self._settings.text_embedders()
        path = self._site.folder / self._settings.adapter
        return await open_adapter(path, embedder=self._site.embedder(name), name=name)

    def _down(self, reason: str) -> None:
        if reason != self._condition.reason:
            log.warning("retriever.down", expert=self.id, reason=reason)
        self._condition = Condition(state="down", reason=reason)

    def _first_attempt_over(self, task_status: TaskStatus[None]) -> None:
        if not self._tried.is_set():
            self._tried.set()
            task_status.started()


class _Relay:
    """Passes a reader's chunks on under the retriever's name, without invented marks, citations on the last one.

    waiting: the scope that gives the reader up; a reader that has begun has all the time there is.
    """

    def __init__(self, emit: Emit, *, model: str, citing: Citing, waiting: anyio.CancelScope) -> None:
        self.begun = False
        self._waiting = waiting
        self._emit = emit
        self._model = model
        self._citing = citing

    async def __call__(self, chunk: Chunk) -> None:
        self.begun = True
        self._waiting.deadline = math.inf
        await self._emit(Chunk(wire.with_model(self._citing.chunk(chunk).raw, self._model)))


def _timed(draft: Draft, total_s: float) -> Draft:
    """The draft with its times counted from this expert's start; a reader's clock started when it was asked."""
    before_s = total_s - draft.total_s
    first_token_s = None if draft.first_token_s is None else before_s + draft.first_token_s
    return replace(draft, total_s=total_s, first_token_s=first_token_s)


def _left_out(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    more = len(skipped) - 1
    return f"left out: {skipped[0]}" + (f" (and {more} more)" if more else "")


def _reason(error: Exception) -> str:
    if isinstance(error, ConfigError):
        more = len(error.problems) - 1
        return error.problems[0] + (f" (and {more} more)" if more else "")
    if isinstance(error, ArtifactError):
        return str(error)
    return f"{type(error).__name__}: {error}"
