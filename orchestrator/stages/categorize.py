"""Stage 1: which kind of query is this? Asks the router, and outlives its failure.

The classifier has a deadline of its own, its queue included, and a breaker: while it is broken or late, queries
go to the general category at once and the decision says so.
"""

from __future__ import annotations

import anyio
import structlog
from anyio.abc import TaskStatus

from orchestrator.batching import Batcher
from orchestrator.decision import Categorized, Gate, Probability
from orchestrator.fleet.breaker import Breaker
from orchestrator.trace import Stopwatch
from routers.router import Router, Routing

__all__ = ["Categorizer"]

log = structlog.get_logger()


class Categorizer:
    """Classifies queries with one router, within `deadline_s` each."""

    def __init__(self, router: Router, *, deadline_s: float, breaker: Breaker | None = None) -> None:
        self.router = router
        self._deadline_s = deadline_s
        self._breaker = breaker or Breaker(failures=5, open_s=10.0)
        self._batches: Batcher[str, Routing] = Batcher(router.classify)

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled."""
        await self._batches.serve(task_status=task_status)

    async def categorize(self, query: str) -> Categorized:
        """The category of a query; `general` with a reason when the query has no text or the router no answer."""
        watch = Stopwatch()
        if not query:
            return self._degraded("the request has no text to classify", watch)
        if not self._breaker.allows():
            return self._degraded("the classifier failed repeatedly and is left alone for a while", watch)
        routing: Routing | None = None
        try:
            with anyio.move_on_after(self._deadline_s):
                routing = await self._batches.submit(query)
        except Exception as error:  # noqa: BLE001 - supervised border: a broken classifier must not stop answers
            log.warning("classifier.failed", error=repr(error))
            self._breaker.failed()
            return self._degraded(f"the classifier failed: {type(error).__name__}", watch)
        if routing is None:
            self._breaker.failed()
            return self._degraded(f"the classifier took longer than {self._deadline_s * 1000:.0f} ms", watch)
        self._breaker.succeeded()
        return _categorized(routing, watch)

    def _degraded(self, reason: str, watch: Stopwatch) -> Categorized:
        return Categorized(method="degraded", category=self.router.general, reason=reason, took_ms=watch.ms)


def _categorized(routing: Routing, watch: Stopwatch) -> Categorized:
    return Categorized(
        method="router",
        category=routing.category,
        top=routing.top,
        confidence=routing.confidence,
        posterior=tuple(Probability(category=name, probability=share) for name, share in routing.posterior),
        category_set=routing.category_set,
        gate=Gate(fired=routing.gate.fired, value=routing.gate.value, threshold=routing.gate.threshold),
        reason=f"gate: {routing.gate.fired}" if routing.gate.fired else "",
        took_ms=watch.ms,
    )
