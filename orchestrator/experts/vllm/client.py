"""The experts' HTTP client: one pool of connections for the process, and one call to one server. No retries here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import anyio

from orchestrator.errors import ExpertCut, ExpertFailed
from orchestrator.experts.vllm.faults import Faults
from orchestrator.experts.vllm.sse import EventSplitter, EventTooLong

__all__ = ["MAX_ANSWER_BYTES", "Answer", "Pool", "Target", "ask"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
# Below the 5 s after which uvicorn, which serves vLLM, closes an idle connection: a POST on one that is just being
# closed would fail.
_KEEP_ALIVE_S = 4.0
_CLOSE_S = 2.0
_END_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one request goes.

    url: of the API, with its path. headers: beside those of every request.
    connect_timeout_s: most seconds to reach the server. read_timeout_s: most seconds between two reads of its answer.
    """

    url: str
    headers: Mapping[str, str]
    connect_timeout_s: float
    read_timeout_s: float
    faults: Faults

    @property
    def timeout(self) -> aiohttp.ClientTimeout:
        """No total: the whole answer's time is the request's deadline."""
        return aiohttp.ClientTimeout(total=None, sock_connect=self.connect_timeout_s, sock_read=self.read_timeout_s)


class Pool:
    """The client session that all vllm experts of the process share: opened by the first user, closed by the last.

    Experts in service hold it for as long as they live, so that connections outlive single requests.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._users = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The session, which stays open at least as long as the block."""
        if self._session is None:
            self._session = _new_session()
        session = self._session
        self._users += 1
        try:
            yield session
        finally:
            self._users -= 1
            if self._users == 0:
                self._session = None
                with anyio.move_on_after(_CLOSE_S, shield=True):
                    await session.close()


def _new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "Content-Type": "application/json"},
    )


@asynccontextmanager
async def ask(session: aiohttp.ClientSession, target: Target, body: bytes) -> AsyncIterator[Answer]:
    """Post a body; inside the block its answer, of status 200, can be read. Leaving early closes the connection.

    Raises:
        ExpertError: no answer, or one with another status.
    """
    with target.faults.asking():
        response = await session.post(
            target.url, data=body, headers=target.headers, timeout=target.timeout, allow_redirects=False
        )
    async with response:
        answer = Answer(response, target.faults)
        if response.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise target.faults.status(response.status, response.headers, await answer.beginning(_MAX_ERROR_BYTES))
        yield answer


class Answer:
    """The body of one answer, read as a whole or as a stream of events."""

    def __init__(self, response: aiohttp.ClientResponse, faults: Faults) -> None:
        self._response = response
        self._faults = faults
        self._splitter = EventSplitter()

    async def beginning(self, limit: int) -> bytes:
        """At least the first `limit` bytes if there are that many."""
        read = bytearray()
        with self._faults.reading():
            async for piece in self._response.content.iter_any():
                read += piece
                if len(read) > limit:
                    break
        return bytes(read)

    async def whole(self) -> bytes:
        """The whole body; raises ExpertFailed where it has more than `MAX_ANSWER_BYTES`."""
        body = await self.beginning(MAX_ANSWER_BYTES)
        if len(body) > MAX_ANSWER_BYTES:
            raise self._faults.make(ExpertFailed, f"the answer has more than {MAX_ANSWER_BYTES} bytes")
        return body

    async def events(self) -> list[bytes]:
        """The data of the next events, at least one; raises ExpertCut where the stream ended instead."""
        while True:
            with self._faults.reading():
                piece = await self._response.content.readany()
            if not piece:
                raise self._faults.make(ExpertCut, "the stream ended without [DONE]")
            try:
                events = self._splitter.feed(piece)
            except EventTooLong as error:
                raise self._faults.make(ExpertFailed, str(error)) from error
            if events:
                return events

    async def finish(self) -> None:
        """Read on to the end, which follows `[DONE]` at once, so that the connection can serve again."""
        with anyio.move_on_after(_END_S), suppress(aiohttp.ClientError, OSError):
            await self._response.content.readany()
