"""Keeps what requests came to in a database, beside the answers and never in their way.

What comes in waits in a bounded queue; a task writes it in batches, each one transaction, `FLUSH_S` after the first row
came. While the database is gone, the queue fills and what does not fit is counted as lost; once it is back, what waited
is written. A process that is killed loses what it had not written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import orjson
import structlog
from anyio import to_thread
from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.decision import Decision
from orchestrator.errors import RunError
from orchestrator.store.database import brought_up_to_date, connected
from orchestrator.store.rows import Ended, decision_row, ids_of, sums_by_day
from orchestrator.store.tables import DECISIONS, FEEDBACK, RESPONSES, USE
from orchestrator.usage.lines import FeedbackLine

__all__ = ["Health", "Store"]

log = structlog.get_logger()

MOST_WAITING = 10_000
AT_ONCE = 500
FLUSH_S = 0.25
DRAIN_S = 5.0
"""Seconds that the last batch gets when the service stops."""
FIRST_PAUSE_S, MOST_PAUSE_S = 0.5, 15.0
"""Between attempts to write while the database is gone."""
CLEAN_EVERY_S = 3600.0
RECENT = 1000
"""Responses that are at hand while they are being written: clients go on from one at once."""
_GONE = (SQLAlchemyError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Since the start: rows written, and rows lost because the queue was full. failing: why nothing is written now."""

    written: int
    lost: int
    waiting: int
    failing: str


@dataclass(frozen=True, slots=True)
class _Response:
    """A conversation to go on from."""

    id: str
    caller: str
    items: Sequence[Any]
    created: datetime


Item = Ended | FeedbackLine | _Response


class Store:
    """Works inside `open`. address: with its driver. keep_days: for which rows are kept; sums of use stay."""

    def __init__(self, address: URL, *, keep_days: float, content: bool, most_waiting: int = MOST_WAITING) -> None:
        self.content = content
        self._engine = connected(address)
        self._shown = address.render_as_string(hide_password=True)
        self._keep = timedelta(days=keep_days)
        self._send, self._receive = anyio.create_memory_object_stream[Item](most_waiting)
        self._recent: OrderedDict[tuple[str, str], Sequence[Any]] = OrderedDict()
        self._ready = False
        self._one_at_a_time = anyio.Lock()
        self._written = self._lost = 0
        self._failing = ""

    @property
    def health(self) -> Health:
        """How writing goes."""
        waiting = self._receive.statistics().current_buffer_used
        return Health(written=self._written, lost=self._lost, waiting=waiting, failing=self._failing)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The block in which rows are written; at its end what waits is written first."""
        done = anyio.Event()
        try:
            async with anyio.create_task_group() as group:
                working = anyio.CancelScope(shield=True)
                group.start_soon(self._serve, working, done)
                group.start_soon(self._clean)
                try:
                    yield
                finally:
                    self._send.close()
                    with anyio.move_on_after(DRAIN_S, shield=True):
                        await done.wait()
                    working.cancel()
                    group.cancel_scope.cancel()
        finally:
            self._receive.close()
            with anyio.CancelScope(shield=True):
                await self._engine.dispose()

    def decided(self, ended: Ended) -> None:
        """Keep a decision; returns at once."""
        self._put(ended)

    def told(self, line: FeedbackLine) -> None:
        """Keep feedback; returns at once."""
        self._put(line)

    def responded(self, response: str, caller: str, items: Sequence[Any]) -> None:
        """Keep a conversation that somebody may go on from; returns at once."""
        self._recent[caller, response] = items
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        self._put(_Response(response, caller, items, datetime.now(UTC)))

    async def decision(self, decision: str) -> Decision | None:
        """A decision by its id; None where it is not kept.

        Raises:
            RunError: the database does not answer.

        """
        row = await self._one(select(DECISIONS.c.body).where(DECISIONS.c.id == decision))
        return None if row is None else Decision.model_validate_json(row)

    async def response(self, response: str, caller: str) -> Sequence[Any] | None:
        """The items of a conversation up to and with a response; None where it is not kept, or is somebody else's.

        Raises:
            RunError: the database does not answer.

        """
        if (known := self._recent.get((caller, response))) is not None:
            return known
        mine = (RESPONSES.c.id == response) & (RESPONSES.c.caller == caller)
        row = await self._one(select(RESPONSES.c["items"]).where(mine))
        items: Sequence[Any] | None = None if row is None else orjson.loads(row)
        return items

    async def use(self, *, since: datetime) -> list[dict[str, Any]]:
        """The sums by caller and day from a day on, latest first.

        Raises:
            RunError: the database does not answer.

        """
        query = select(USE).where(USE.c.day >= since.date()).order_by(USE.c.day.desc(), USE.c.caller)
        async with self._reading() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _tables(self) -> None:
        """Bring the tables up to date, once."""
        async with self._one_at_a_time:
            if not self._ready:
                await brought_up_to_date(self._engine)
                self._ready = True

    def _put(self, item: Item) -> None:
        try:
            self._send.send_nowait(item)
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._lost += 1

    async def _one(self, query: Any) -> Any:
        async with self._reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            await self._tables()
            async with self._engine.connect() as connection:
                yield connection
        except _GONE as error:
            log.warning("store.unreadable", store=self._shown, error=_short(error))
            raise RunError("The store does not answer; try again.") from error

    async def _serve(self, working: anyio.CancelScope, done: anyio.Event) -> None:
        """Write what comes until nothing can come any more."""
        with working:
            try:
                await self._tables()
            except _GONE as error:
                log.error("store.not_there", store=self._shown, error=_short(error))  # noqa: TRY400 - no defect
                self._failing = _short(error)
            async for first in self._receive:
                if not self._receive.statistics().current_buffer_used:
                    await anyio.sleep(FLUSH_S)
                batch = [first]
                while len(batch) < AT_ONCE and self._receive.statistics().current_buffer_used:
                    batch.append(self._receive.receive_nowait())
                await self._write_in_the_end(batch)
        done.set()

    async def _write_in_the_end(self, batch: Sequence[Item]) -> None:
        """Again and again until it is written: later batches wait for this one, answers do not."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._write(batch)
            except _GONE as error:
                if not self._failing:
                    log.error("store.not_written", store=self._shown, error=_short(error))  # noqa: TRY400 - no defect
                self._failing = _short(error)
                await anyio.sleep(pause_s)
                pause_s = min(MOST_PAUSE_S, 2 * pause_s)
            except Exception:  # supervised: what is kept of answers must not stop them
                self._lost += len(batch)
                log.exception("store.failed", store=self._shown, rows=len(batch))
                return
            else:
                if self._failing:
                    log.warning("store.written_again", store=self._shown, lost=self._lost)
                self._failing = ""
                self._written += len(batch)
                return

    async def _write(self, batch: Sequence[Item]) -> None:
        """One transaction. One whose end was not heard of comes again: what is there already is not counted twice."""
        await self._tables()
        ended = [item for item in batch if isinstance(item, Ended)]
        decisions = await to_thread.run_sync(lambda: [decision_row(item) for item in ended]) if ended else []
        feedback = [_feedback_row(item) for item in batch if isinstance(item, FeedbackLine)]
        responses = [_response_row(item) for item in batch if isinstance(item, _Response)]
        async with self._engine.begin() as connection:
            known = set(await connection.scalars(select(DECISIONS.c.id).where(DECISIONS.c.id.in_(ids_of(decisions)))))
            new = [row for row in decisions if row["id"] not in known]
            if new:
                await connection.execute(insert(DECISIONS), new)
                await connection.execute(self._added(), sums_by_day(new))
            if feedback:
                await connection.execute(insert(FEEDBACK), feedback)
            if responses:
                await connection.execute(self._kept_once(), responses)

    def _added(self) -> Any:
        """Sums that come on top of those that are there."""
        statement = self._dialect.insert(USE)
        counted = ("requests", "failed", "input_tokens", "output_tokens", "cost_usd")
        more = {name: USE.c[name] + statement.excluded[name] for name in counted}
        return statement.on_conflict_do_update(index_elements=["caller", "day"], set_=more)

    def _kept_once(self) -> Any:
        return self._dialect.insert(RESPONSES).on_conflict_do_nothing(index_elements=["id"])

    @property
    def _dialect(self) -> Any:
        return sqlite if self._engine.dialect.name == "sqlite" else postgresql

    async def _clean(self) -> None:
        """Let go of what is too old, now and then."""
        while True:
            if self._ready:
                try:
                    await self.forget(datetime.now(UTC) - self._keep)
                except _GONE as error:
                    log.warning("store.not_cleaned", store=self._shown, error=_short(error))
            await anyio.sleep(CLEAN_EVERY_S if self._ready else 1.0)

    async def forget(self, before: datetime) -> None:
        """Let go of decisions, feedback and responses from before a time."""
        async with self._engine.begin() as connection:
            for table in (DECISIONS, FEEDBACK, RESPONSES):
                await connection.execute(delete(table).where(table.c.created < before))


def _feedback_row(line: FeedbackLine) -> dict[str, Any]:
    return {
        "decision": line.decision,
        "created": line.time,
        "expert": line.expert,
        "score": line.score,
        "category": line.category,
        "comment": line.comment,
    }


def _response_row(response: _Response) -> Mapping[str, Any]:
    items = orjson.dumps(response.items).decode().replace("\\u0000", "\\ufffd")
    return {"id": response.id, "created": response.created, "caller": response.caller, "items": items}


def _short(error: BaseException) -> str:
    """One line, without the statement and its values, which may be texts of clients."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:200]}"
