"""Collects a decision while a request runs. The only clock reader of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import anyio

from orchestrator.decision import (
    Attempt,
    Categorized,
    Chosen,
    Consensus,
    Decision,
    DraftSeen,
    Explanation,
    Failure,
    Verdict,
)
from orchestrator.wire import new_id

__all__ = ["Stopwatch", "Trace"]


class Stopwatch:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self._started = anyio.current_time()

    @property
    def ms(self) -> float:
        """Elapsed milliseconds, to the microsecond."""
        return round((anyio.current_time() - self._started) * 1000, 3)


class Trace:
    """The decision under way: stages write their part, `decision` reads what there is so far."""

    def __init__(self, *, model: str, query: str) -> None:
        self.id = new_id("dec")
        self.model = model
        self.query = query
        self.categorized: Categorized | None = None
        self.explanation: Explanation | None = None
        self.chosen: Chosen | None = None
        self.attempts: list[Attempt] = []
        self.drafts: list[DraftSeen] = []
        self.consensus: Consensus | None = None
        self.verdict: Verdict | None = None
        self.expert: str | None = None
        self.error: Failure | None = None
        self._created = datetime.now(UTC)
        self._watch = Stopwatch()
        self._busy = 0
        self._busy_since_ms = 0.0
        self._experts_ms = 0.0
        self._total_ms: float | None = None

    @contextmanager
    def expert_at_work(self) -> Iterator[Stopwatch]:
        """Around each call of an expert; calls side by side count once."""
        if self._busy == 0:
            self._busy_since_ms = self._watch.ms
        self._busy += 1
        try:
            yield Stopwatch()
        finally:
            self._busy -= 1
            if self._busy == 0:
                self._experts_ms += self._watch.ms - self._busy_since_ms

    @property
    def attempts_made(self) -> int:
        """Calls of experts so far, those still running included."""
        return len(self.attempts) + self._busy

    @property
    def closed(self) -> bool:
        """Whether the request has ended: only then are cost and total time final."""
        return self._total_ms is not None

    @property
    def cost_usd(self) -> float:
        """What all attempts cost together, and the calls of the classifier."""
        calls = self.categorized.calls if self.categorized else ()
        return sum(attempt.cost_usd for attempt in (*calls, *self.attempts))

    def fail(self, error: Exception) -> None:
        """Note the error that ended the request: there is no answer then, and nobody who gave it."""
        self.expert = None
        self.error = Failure(kind=type(error).__name__, message=str(error))

    def close(self) -> None:
        """Stop the clock of the whole request."""
        self._total_ms = self._watch.ms

    def decision(self) -> Decision:
        """What is known by now, content included."""
        total_ms = self._watch.ms if self._total_ms is None else self._total_ms
        return Decision(
            id=self.id,
            created=self._created,
            model=self.model,
            query=self.query,
            categorize=self.categorized,
            explanation=self.explanation,
            choose=self.chosen,
            attempts=tuple(self.attempts),
            drafts=tuple(self.drafts),
            consensus=self.consensus,
            verdict=self.verdict,
            expert=self.expert,
            error=self.error,
            cost_usd=self.cost_usd,
            total_ms=total_ms,
            overhead_ms=round(max(0.0, total_ms - self._experts_ms), 3),
        )
