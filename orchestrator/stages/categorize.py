"""Stage 1: which kind of query is this? Asks the router, and outlives its failure.

The classifier has a deadline of its own, its queue included, and a breaker: while it is broken or late, queries
go to the general category at once and the decision says so. What it said of the latest queries is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

import anyio
import structlog
from anyio import to_thread
from anyio.abc import TaskStatus

from orchestrator.batching import Batcher
from orchestrator.consultation import Consultant
from orchestrator.conversation.follow_up import context_of, dependence
from orchestrator.conversation.turns import Turn
from orchestrator.decision import Attempt, Categorized, Contribution, Explanation, Gate, Probability, Signal
from orchestrator.decision_cache import DecisionCache
from orchestrator.fleet.breaker import Breaker
from orchestrator.trace import Stopwatch
from routers import explanation
from routers.router import Router, Routing

__all__ = ["Categorizer"]

log = structlog.get_logger()


class Categorizer:
    """Classifies queries with one router, within `deadline_s` each; remembers the latest `remembered`, 0 for none.

    consultant: for a router whose classifier asks experts. Its queries are classified side by side, each by itself, so
    that none waits for another one's answer.
    """

    def __init__(
        self,
        router: Router,
        *,
        deadline_s: float,
        breaker: Breaker | None = None,
        remembered: int = 0,
        consultant: Consultant | None = None,
        generation: str | None = None,
    ) -> None:
        self._deadline_s = deadline_s
        self._consultant = consultant
        self._breaker = breaker or Breaker(failures=5, open_s=10.0)
        self._remembered = remembered
        self._batches: Batcher[tuple[Router, str], Routing] = Batcher(_classify)
        self._one_explanation = anyio.CapacityLimiter(1)
        self.use(router, generation=generation)

    def use(self, router: Router, *, generation: str | None = None) -> None:
        """Classify with this router from now on; what others said is forgotten.

        Queries that are waiting are still classified by the one that they came to. generation: what decisions call it.
        """
        self.router = router
        self.generation = generation
        self._cache = DecisionCache(self._remembered)

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled."""
        await self._batches.serve(task_status=task_status)

    async def categorize(self, query: str) -> Categorized:
        """The category of a query; `general` with a reason when the query has no text or the router no answer."""
        watch = Stopwatch()
        if not query:
            return self._degraded("the request has no text to classify", watch)
        # A router that comes while this query waits has a cache of its own: this one's answer never gets into that.
        cache = self._cache
        key = cache.key(query)
        if key is not None and (known := cache.get(key)):
            return known
        calls: list[Attempt] = []
        fresh = await self._asked(query, watch, calls)
        if key is not None and fresh.method == "router":
            cache.put(key, fresh.model_copy(update={"cached": True, "took_ms": 0.0}))
        return fresh.model_copy(update={"calls": tuple(calls)}) if calls else fresh

    async def categorize_turn(self, turn: Turn) -> tuple[Categorized, str]:
        """The category of a conversation's latest request, and the text that was classified.

        A request without a word on its subject is of the kind of what it follows, and one that points back is read
        with it. Of the categories that any other leaves open, what was asked before may decide.
        """
        watch = Stopwatch()
        depends = dependence(turn.query) if turn.position > 0 else "none"
        alone = await self.categorize(turn.query) if depends == "none" else None
        if turn.position <= 0 or (alone is not None and _is_sure(alone)):
            return alone or await self.categorize(turn.query), turn.query
        before = context_of(turn)
        text = "\n".join([*reversed(before), *([] if depends == "bare" else [turn.query])])
        within = await self.categorize(text) if before else None
        if within is None or within.method != "router" or (alone is not None and not _decides(within, alone)):
            return alone or await self.categorize(turn.query), turn.query
        return within.model_copy(update={"context": len(before), "took_ms": watch.ms}), text

    async def explain(self, query: str) -> Explanation | None:
        """What decided the category of a query; None when it could not be had within the deadline."""
        try:
            with anyio.move_on_after(self._deadline_s):
                return _explanation(await self._explained(query))
        except Exception as error:  # noqa: BLE001 - supervised border: the decision stands without its explanation
            log.warning("explanation.failed", error=repr(error))
            return None
        log.warning("explanation.late", deadline_ms=self._deadline_s * 1000)
        return None

    async def _explained(self, query: str) -> explanation.Explanation:
        if self._consultant is not None:
            return await self._consultant.run(self.router.explain, query, calls=[], recall=True)
        return await to_thread.run_sync(
            self.router.explain, query, limiter=self._one_explanation, abandon_on_cancel=True
        )

    async def _asked(self, query: str, watch: Stopwatch, calls: list[Attempt]) -> Categorized:
        if not self._breaker.allows():
            return self._degraded("the classifier failed repeatedly and is left alone for a while", watch)
        routing: Routing | None = None
        router, generation = self.router, self.generation
        try:
            with anyio.move_on_after(self._deadline_s):
                routing = await self._routed(router, query, calls)
        except Exception as error:  # noqa: BLE001 - supervised border: a broken classifier must not stop answers
            log.warning("classifier.failed", error=repr(error))
            self._breaker.failed()
            return self._degraded(f"the classifier failed: {type(error).__name__}", watch)
        if routing is None:
            self._breaker.failed()
            return self._degraded(f"the classifier took longer than {self._deadline_s * 1000:.0f} ms", watch)
        self._breaker.succeeded()
        return _categorized(routing, watch, generation)

    async def _routed(self, router: Router, query: str, calls: list[Attempt]) -> Routing:
        if self._consultant is None:
            return await self._batches.submit((router, query))
        (routing,) = await self._consultant.run(router.classify, [query], calls=calls)
        return routing

    def _degraded(self, reason: str, watch: Stopwatch) -> Categorized:
        return Categorized(method="degraded", category=self.router.general, reason=reason, took_ms=watch.ms)


def _is_gated(categorized: Categorized) -> bool:
    return categorized.gate is not None and categorized.gate.fired is not None


def _is_sure(categorized: Categorized) -> bool:
    """Whether one category alone is likely enough."""
    return categorized.method == "router" and not _is_gated(categorized) and len(categorized.category_set) == 1


def _decides(within: Categorized, alone: Categorized) -> bool:
    """Whether a reading with context is surer, and of what the request by itself leaves open."""
    share = 0.0 if _is_gated(alone) else alone.confidence or 0.0
    return not _is_gated(within) and within.category in alone.category_set and (within.confidence or 0.0) > share


def _classify(asked: Sequence[tuple[Router, str]]) -> Sequence[Routing]:
    """Of each query what its router says; routers are more than one only while one takes over from another."""
    found: list[Routing] = []
    for _, group in groupby(asked, key=lambda pair: id(pair[0])):
        pairs = list(group)
        found += pairs[0][0].classify([query for _, query in pairs])
    return found


def _categorized(routing: Routing, watch: Stopwatch, generation: str | None) -> Categorized:
    return Categorized(
        method="router",
        category=routing.category,
        top=routing.top,
        confidence=routing.confidence,
        posterior=tuple(Probability(category=name, probability=share) for name, share in routing.posterior),
        category_set=routing.category_set,
        gate=Gate(fired=routing.gate.fired, value=routing.gate.value, threshold=routing.gate.threshold),
        reason=f"gate: {routing.gate.fired}" if routing.gate.fired else "",
        generation=generation,
        took_ms=watch.ms,
    )


def _explanation(found: explanation.Explanation) -> Explanation:
    return Explanation(
        top=found.top,
        runner_up=found.runner_up,
        margin=found.margin,
        margin_logit=found.margin_logit,
        unit=found.unit,
        top_score=found.top_score,
        runner_up_score=found.runner_up_score,
        contributions=tuple(
            Contribution(part=part.part, name=part.name, top=part.values[0], runner_up=part.values[1])
            for part in found.contributions
        ),
        signals=tuple(Signal(**asdict(signal)) for signal in found.signals),
    )
