"""Keeps what the running service decides and is told, beside the answers and never in their way.

What comes in waits in a bounded queue; one thread writes it down and watches it for drift. What does not fit into the
queue or onto the disk is counted and lost, and said once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio import to_thread

from orchestrator.decision import Decision
from orchestrator.errors import RunError
from orchestrator.usage.alert import Alert
from orchestrator.usage.journal import Appended, Journal
from orchestrator.usage.lines import DecisionLine, FeedbackLine, decision_line

if TYPE_CHECKING:
    from orchestrator.usage.watch import UsageWatch

__all__ = ["Counts", "Recorder"]

log = structlog.get_logger()

MOST_WAITING = 2_000
AT_ONCE = 256
MOST_ALERTS = 100
MOST_FEEDBACK = 1_000
DRAIN_S = 2.0
"""Seconds that the last lines get when the service stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Since the start: lines written, and lines lost because the queue or the disk was full."""

    written: int
    lost: int


@dataclass(frozen=True, slots=True)
class _Given:
    """Feedback on its way. category: where the query was sent. again: it changes an earlier one."""

    line: FeedbackLine
    category: str | None
    again: bool


class Recorder:
    """Works inside `open`. content: whether texts are kept too.

    A score counts for the watch as it was first given: a change of mind does not come a second time.
    """

    def __init__(self, journal: Journal, *, content: bool, most_waiting: int = MOST_WAITING) -> None:
        self.content = content
        self._journal = journal
        self._send, self._receive = anyio.create_memory_object_stream[Decision | _Given](most_waiting)
        self._alerts: deque[Alert] = deque(maxlen=MOST_ALERTS)
        self._given: OrderedDict[tuple[str, str | None], FeedbackLine] = OrderedDict()
        self._one = anyio.CapacityLimiter(1)
        self._written = 0
        self._lost = 0
        self._failing = False
        self._crowded = False

    @property
    def counts(self) -> Counts:
        """How much was kept."""
        return Counts(written=self._written, lost=self._lost)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The latest, newest last."""
        return tuple(self._alerts)

    def decided(self, decision: Decision) -> None:
        """Keep a decision; returns at once."""
        self._put(decision)

    def told(self, line: FeedbackLine, *, category: str | None) -> bool:
        """Keep feedback; returns at once, False where the same was said before. category: where the query was sent.

        Raises:
            RunError: there is no room for it now.

        """
        key = (line.decision, line.expert)
        known = self._given.get(key)
        if known is not None and known.model_copy(update={"time": line.time}) == line:
            return False
        if not self._put(_Given(line, category, known is not None)):
            raise RunError("feedback cannot be kept now: too much is waiting to be written; try again")
        self._given[key] = line
        while len(self._given) > MOST_FEEDBACK:
            self._given.popitem(last=False)
        return True

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The block in which lines are written; at its end what waits is written first.

        Raises:
            RunError: the file cannot be written, or river is not installed.

        """
        with self._send, self._receive:
            await to_thread.run_sync(self._journal.check)
            watch = await to_thread.run_sync(_watch)
            async with self._working(watch):
                yield

    @asynccontextmanager
    async def _working(self, watch: UsageWatch) -> AsyncIterator[None]:
        done = anyio.Event()
        async with anyio.create_task_group() as group:
            working = anyio.CancelScope(shield=True)
            group.start_soon(self._serve, watch, working, done)
            try:
                yield
            finally:
                self._send.close()
                with anyio.move_on_after(DRAIN_S, shield=True):
                    await done.wait()
                working.cancel()

    def _put(self, item: Decision | _Given) -> bool:
        try:
            self._send.send_nowait(item)
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._lost += 1
            if not self._crowded:
                self._crowded = True
                log.warning("usage.crowded", file=str(self._journal.path))
            return False
        return True

    async def _serve(self, watch: UsageWatch, working: anyio.CancelScope, done: anyio.Event) -> None:
        with working:
            async for first in self._receive:
                batch = [first]
                while len(batch) < AT_ONCE and self._receive.statistics().current_buffer_used:
                    batch.append(self._receive.receive_nowait())
                # Left alone where a hung disk would hold up the end of the service.
                await to_thread.run_sync(self._keep, watch, batch, limiter=self._one, abandon_on_cancel=True)
                self._crowded = False
        done.set()

    def _keep(self, watch: UsageWatch, batch: Sequence[Decision | _Given]) -> None:
        """Write a batch down, then watch it. Supervised: what is learned from use must not stop the service."""
        try:
            rows = [(self._line(item), item) for item in batch]
            appended = self._journal.append([line.encoded() for line, _ in rows])
        except Exception:
            self._lost += len(batch)
            log.exception("usage.failed")
            return
        self._note(appended, len(rows))
        try:
            for line, item in rows:
                self._look(watch, line, item)
        except Exception:
            log.exception("usage.unwatched")

    def _line(self, item: Decision | _Given) -> DecisionLine | FeedbackLine:
        if isinstance(item, _Given):
            return item.line
        return decision_line(item if self.content else item.without_content())

    def _look(self, watch: UsageWatch, line: DecisionLine | FeedbackLine, item: Decision | _Given) -> None:
        if isinstance(line, DecisionLine):
            alerts = watch.decision(line)
        elif isinstance(item, _Given) and not item.again:
            alerts = watch.feedback(line, category=item.category)
        else:
            alerts = []
        for alert in alerts:
            self._alerts.append(alert)
            log.warning("drift", **alert.model_dump(mode="json"))

    def _note(self, appended: Appended, lines: int) -> None:
        self._written += appended.lines
        self._lost += lines - appended.lines
        if appended.error is not None and not self._failing:
            log.error("usage.not_written", file=str(self._journal.path), error=str(appended.error))
        if appended.error is None and self._failing:
            log.warning("usage.written_again", file=str(self._journal.path), lost=self._lost)
        self._failing = appended.error is not None


def _watch() -> UsageWatch:
    """Late, since river is an extra."""
    try:
        from orchestrator.usage.watch import UsageWatch  # noqa: PLC0415 - as its docstring says
    except ImportError as error:
        raise RunError(f"usage.file needs river ({error}); run 'pip install expert-orchestrator[usage]'") from error
    return UsageWatch()
