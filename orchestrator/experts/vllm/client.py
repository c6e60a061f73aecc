"""The experts' HTTP client: one pool of connections for the process, and one call to one server. No retries here.

But one: a connection that served before may be closed by the server just when the next request goes out. If it ends
without a byte of an answer, the request goes out once more on a new connection.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from orchestrator import clock
from orchestrator.errors import ExpertCut, ExpertError, ExpertFailed, ExpertLate
from orchestrator.experts.vllm.connection import (
    TICK_S,
    Connection,
    ConnectTimeout,
    Disconnected,
    HttpError,
    Origin,
    ReadTimeout,
    Sink,
    connect,
    request_head,
)
from orchestrator.experts.vllm.faults import Faults
from orchestrator.experts.vllm.sse import EventSplitter, EventTooLong

__all__ = ["MAX_ANSWER_BYTES", "Answer", "Pool", "Target", "ask"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
# Below the 5 s after which uvicorn, which serves vLLM, closes an idle connection: a POST on one that is just being
# closed would fail.
_KEEP_ALIVE_S = 4.0
_END_S = 0.05
LATE = "no whole answer before the deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests of one expert go on one server; made once, used for many.

    url: of the API, with its path. headers: beside those of every request.
    connect_timeout_s: most seconds to reach the server. first_token_timeout_s: most seconds until its answer begins.
    read_timeout_s: most seconds between two pieces of it. The whole answer's time is the request's deadline.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    connect_timeout_s: float
    read_timeout_s: float
    first_token_timeout_s: float | None = None
    faults: Faults
    origin: Origin = field(init=False)
    head: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", Origin.of(self.url))
        object.__setattr__(self, "head", request_head(self.url, dict(self.headers)))

    @property
    def begin_timeout_s(self) -> float:
        """Most seconds until an answer begins."""
        return self.read_timeout_s if self.first_token_timeout_s is None else self.first_token_timeout_s


class Pool:
    """The connections that all vllm experts of the process share; idle ones are closed when its last user leaves.

    Experts in service hold it for as long as they live, so that connections outlive single requests.
    """

    def __init__(self) -> None:
        self._idle: dict[Origin, list[Connection]] = {}
        self._users = 0

    @property
    def idle(self) -> int:
        """Connections that are open and at nobody's disposal but the next request's."""
        return sum(connection.open for kept in self._idle.values() for connection in kept)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Connections stay open at least as long as the block."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    def hold(self) -> None:
        """Begin to use it; `release` ends that."""
        self._users += 1

    def release(self) -> None:
        """The counterpart of `hold`."""
        self._users -= 1
        if self._users == 0:
            for idle in self._idle.values():
                for connection in idle:
                    connection.close()
            self._idle.clear()

    async def take(self, origin: Origin, limit_s: float, *, new: bool = False) -> Connection:
        """A connection for one exchange; `give` it back.

        new: not one that served before.

        Raises:
            HttpError: there is none to be had.
        """
        idle = self._idle.get(origin)
        now = asyncio.get_running_loop().time()
        while idle and not new:
            connection = idle.pop()  # the one used last is the likeliest to be alive
            if connection.reusable and now - connection.idle_since < _KEEP_ALIVE_S:
                return connection
            connection.close()
        return await connect(origin, limit_s)

    def give(self, origin: Origin, connection: Connection) -> None:
        """Take back a connection; closes one that cannot serve again."""
        if self._users == 0 or not connection.reusable:
            connection.close()
            return
        now = connection.idle_since = asyncio.get_running_loop().time()
        idle = self._idle.setdefault(origin, [])
        while idle and not (idle[0].open and now - idle[0].idle_since < _KEEP_ALIVE_S):
            idle.pop(0).close()
        idle.append(connection)


class ask:  # noqa: N801 - used like a function
    """Post a body; inside the block its answer, of status 200, can be read. Leaving early closes the connection.

    deadline: on the event loop's clock; nothing is waited for beyond it.

    Raises:
        ExpertError: no answer, or one with another status; ExpertLate where the deadline came first.
    """

    __slots__ = ("_body", "_connection", "_deadline", "_pool", "_target")

    def __init__(self, pool: Pool, target: Target, body: bytes, *, deadline: float = math.inf) -> None:
        self._pool = pool
        self._target = target
        self._body = body
        self._deadline = deadline
        self._connection: Connection | None = None

    async def __aenter__(self) -> Answer:
        target = self._target
        try:
            connection = await self._begun()
            answer = Answer(connection, target, self._deadline)
            if connection.status == 200:  # noqa: PLR2004 - HTTP's OK
                return answer
            text = await answer.beginning(_MAX_ERROR_BYTES)
        except BaseException:
            self._leave()
            raise
        self._leave()
        raise target.faults.status(connection.status, connection.headers, text)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    async def _begun(self) -> Connection:
        """A connection on which the answer to the request has begun."""
        target, new = self._target, False
        request = b"%b%d\r\n\r\n%b" % (target.head, len(self._body), self._body)
        while True:
            connection = None
            try:
                left_s = self._deadline - clock.now()
                connection = await self._pool.take(target.origin, min(target.connect_timeout_s, left_s), new=new)
                self._connection = connection
                connection.send(request)
                await connection.head(min(target.begin_timeout_s, left_s))
            except (ReadTimeout, ConnectTimeout) as error:
                if clock.now() + TICK_S >= self._deadline:
                    raise target.faults.make(ExpertLate, LATE) from error
                raise target.faults.asking(error) from error
            except Disconnected as error:
                if connection is None or not connection.used or connection.heard:
                    raise target.faults.asking(error) from error
                new = True
                self._leave()
            except HttpError as error:
                raise target.faults.asking(error) from error
            else:
                return connection

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give(self._target.origin, connection)


class Answer:
    """The body of one answer, read as a whole or as a stream of events."""

    __slots__ = ("_connection", "_deadline", "_limit_s", "_splitter", "_target")

    def __init__(self, connection: Connection, target: Target, deadline: float) -> None:
        self._connection = connection
        self._target = target
        self._deadline = deadline
        self._limit_s = target.begin_timeout_s  # a stream's headers come before the model has begun
        self._splitter = EventSplitter()

    async def _read(self) -> bytes:
        try:
            piece = await self._connection.read(self._limit_s, self._deadline)
        except HttpError as error:
            raise self._fault(error) from error
        self._limit_s = self._target.read_timeout_s
        return piece

    def _fault(self, error: HttpError) -> ExpertError:
        if isinstance(error, ReadTimeout) and clock.now() + TICK_S >= self._deadline:
            return self._target.faults.make(ExpertLate, LATE)
        return self._target.faults.reading(error)

    async def beginning(self, limit: int) -> bytes:
        """At least the first `limit` bytes if there are that many."""
        read = await self._read()
        while len(read) <= limit and (piece := await self._read()):
            read += piece
        return read

    async def whole(self) -> bytes:
        """The whole body; raises ExpertFailed where it has more than `MAX_ANSWER_BYTES`."""
        pieces, size = [], 0
        while piece := await self._read():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise self._target.faults.make(ExpertFailed, f"the answer has more than {MAX_ANSWER_BYTES} bytes")
        return b"".join(pieces)

    async def events(self, take: Sink | None = None) -> list[bytes]:
        """The data of the next events, at least one; raises ExpertCut where the stream ended instead.

        take: is offered the data of events that come while this waits; one that it does not take is the next.
        """
        sink = None if take is None else self._offering(take)
        while True:
            try:
                piece = await self._connection.read(self._limit_s, self._deadline, sink)
            except HttpError as error:
                raise self._fault(error) from error
            if not piece:
                raise self._target.faults.make(ExpertCut, "the stream ended without [DONE]")
            try:
                events = self._splitter.feed(piece)
            except EventTooLong as error:
                raise self._target.faults.make(ExpertFailed, str(error)) from error
            if events:
                self._limit_s = self._target.read_timeout_s
                return events

    def _offering(self, take: Sink) -> Sink:
        one = self._splitter.one

        def offered(piece: bytes) -> bool:
            data = one(piece)
            return data is not None and take(data)

        return offered

    async def finish(self) -> None:
        """Read on to the end, which follows `[DONE]` at once, so that the connection can serve again."""
        if self._connection.ended:
            return
        try:
            while await self._connection.read(_END_S):
                pass
        except HttpError:
            return
