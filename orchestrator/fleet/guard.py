"""What stands between one expert and all who ask it: its breaker, its places and its budget of retries.

One for each expert, shared by every role: answers, drafts, verdicts, classifiers, readers, extractors of arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from orchestrator import clock
from orchestrator.config.settings import ExpertSettings
from orchestrator.errors import ExpertDoubtful, ExpertError, ExpertMisconfigured, ExpertSuspended, ExpertTimeout
from orchestrator.experts.protocol import Condition, Expert
from orchestrator.fleet.breaker import Breaker
from orchestrator.fleet.places import Places
from orchestrator.fleet.retries import RetryBudget
from orchestrator.types import ChatRequest, Chunk, Draft, Emit

__all__ = ["Guard", "Visit"]

FAILURES = 5
OPEN_S = 5.0
MOST_OPEN_S = 30.0
MOST_REST_S = 60.0
"""An expert whose breaker opens is left alone for as long as it asked, up to this."""
FAIR_SHARE = 0.2
"""Of a request's deadline: a call that had less before it was cut tells nothing about the expert."""
_CLOCK_S = 0.01
"""How much too early timers may fire."""
_SHOWN_CHARS = 200


class Guard:
    """Lets calls through to one expert, and learns from what becomes of them.

    fair_s: what a call must have been given at least for its being too late to count as a failure.
    asleep: whether the expert is not awake, so that a call which has not begun is waiting for that.
    """

    def __init__(
        self, expert: str, settings: ExpertSettings, *, fair_s: float, asleep: Callable[[], bool] = lambda: False
    ) -> None:
        self._asleep = asleep
        self._expert = expert
        self._fair_s = fair_s
        self._last = ""
        self._was_down = False
        self.breaker = Breaker(failures=FAILURES, open_s=OPEN_S, most_open_s=MOST_OPEN_S)
        self.retries = RetryBudget()
        self.places = _places(expert, settings)
        self.running = 0
        """Calls that the expert has now."""

    def condition(self, own: Condition) -> Condition:
        """How the expert is, given what it says itself: down while its breaker lets nothing through."""
        if not self.breaker.is_open:
            return own
        if own.state != "up":
            self._was_down = True
        elif self._was_down:  # it has come back by its own account, which a trial may prove at once
            self._was_down = False
            self.breaker.make_due()
        if own.state == "down":
            return own
        wait_s = self.breaker.wait_s
        return Condition(state="down", reason=self._suspension(wait_s)) if wait_s > 0 else own

    async def enter(self, until: float) -> Visit:
        """Let a call through, when there is a place; the call goes inside the block of what is returned.

        until: when the caller gives up, on anyio's clock.

        Raises:
            ExpertSuspended: the breaker is open.
            ExpertBusy: there is no place, and none in time.

        """
        if self.breaker.wait_s > 0:  # nobody waits for a place at what is not going to be asked
            raise self._suspended()
        queued_s = 0.0
        if self.places is not None:
            queued_s = await self.places.take(until)
        if not self.breaker.allows():
            if self.places is not None:
                self.places.free()
            raise self._suspended()
        return Visit(self, until, queued_s)

    async def draft(self, expert: Expert, request: ChatRequest, emit: Emit) -> Draft:
        """The draft of one call that is let through."""
        visit = await self.enter(request.deadline)

        async def noted(chunk: Chunk) -> None:
            visit.begin(until=request.deadline)
            await emit(chunk)

        with visit:
            return await expert.draft(request, noted)

    def ended(self, visit: Visit, error: BaseException | None) -> None:
        """Take note of what became of a call; called by the visit."""
        now = clock.now()
        self.running -= 1
        if self.places is not None:
            self.places.free(held_s=now - visit.at)
        if error is None:
            self.breaker.succeeded(since=visit.since)
        elif not _tells(error) or self._cut_short(visit, error, now):
            self.breaker.left(since=visit.since)
        else:
            self._failed(visit, error)

    def _failed(self, visit: Visit, error: BaseException) -> None:
        rest_s = error.retry_after_s if isinstance(error, ExpertError) else None
        self._last = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else "no answer in time"
        self.breaker.failed(since=visit.since, rest_s=min(MOST_REST_S, rest_s or 0.0))
        if self.breaker.is_open and isinstance(error, ExpertError):  # coming back before the next trial is no use
            error.retry_after_s = max(rest_s or 0.0, self.breaker.wait_s)

    def _cut_short(self, visit: Visit, error: BaseException, now: float) -> bool:
        """Whether the call's own limit ended it, and that tells nothing: it had begun, or had hardly any time."""
        if isinstance(error, Exception) and not isinstance(error, ExpertTimeout):
            return False
        if not visit.begun and self._asleep():
            return True
        if now < visit.until - _CLOCK_S:  # cancelled by the caller, or a limit of the expert's own
            return not isinstance(error, ExpertTimeout)
        return visit.begun or visit.until - visit.at < self._fair_s

    def _suspended(self) -> ExpertSuspended:
        wait_s = self.breaker.wait_s
        return ExpertSuspended(self._expert, self._suspension(wait_s), retry_after_s=wait_s)

    def _suspension(self, wait_s: float) -> str:
        failures = f"{self.breaker.in_a_row} failures in a row, last: {self._last[:_SHOWN_CHARS]}"
        return f"its breaker is open, next trial in {wait_s:.1f} s ({failures})"


class Visit:
    """One call that was let through: a block around it, whose end frees the place and tells the breaker.

    queued_s: how long it waited for a place. at: when it was let through, until: when its caller gives up, both on
    anyio's clock. begun: whether the expert has begun to answer. since: of the breaker.
    """

    __slots__ = ("_guard", "at", "begun", "queued_s", "since", "until")

    def __init__(self, guard: Guard, until: float, queued_s: float) -> None:
        self._guard = guard
        self.queued_s = queued_s
        self.at = clock.now()
        self.until = until
        self.begun = False
        self.since = guard.breaker.period

    def begin(self, *, until: float) -> None:
        """Take note that the expert has begun to answer, for which it has time until then."""
        self.begun = True
        self.until = until

    def __enter__(self) -> None:
        self._guard.running += 1

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._guard.ended(self, error)


def _places(expert: str, settings: ExpertSettings) -> Places | None:
    if settings.max_concurrency is None:
        return None
    return Places(expert, most=settings.max_concurrency, queue=settings.max_queue, max_wait_s=settings.max_wait_s)


def _tells(error: BaseException) -> bool:
    """Whether an error says that the expert is not well, rather than that it, or we, did not take this request.

    One server's trouble is none of the expert's while another is well: it has a breaker of its own, which many streams
    that break off there at once would else overtake.
    """
    if isinstance(error, ExpertError):
        if error.others_well:
            return False
        return error.retryable or isinstance(error, ExpertTimeout | ExpertMisconfigured | ExpertDoubtful)
    return True
