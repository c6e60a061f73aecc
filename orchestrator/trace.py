"""Collects a decision while a request runs. The only clock reader of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import Literal

from orchestrator.conversation.turns import Turn, turn_of
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

_NO_TURN = turn_of(())


class Stopwatch:
    """Milliseconds since it was made."""

    __slots__ = ("_started",)

    def __init__(self) -> None:
        # Not the event loop's clock: that one may tick in whole milliseconds.
        self._started = perf_counter()

    @property
    def ms(self) -> float:
        """Elapsed milliseconds, to the microsecond."""
        return round((perf_counter() - self._started) * 1000, 3)


class Trace:
    """The decision under way: stages write their part, `decision` reads what there is so far.

    caller: the id of the key that the request came with, empty without keys.
    """

    def __init__(self, *, model: str, turn: Turn) -> None:
        self.id = new_id("dec")
        self.caller = ""
        self.model = model
        self.turn = turn
        self.query = turn.query
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
        try:
            yield self.expert_begins()
        finally:
            self.expert_ends()

    def expert_begins(self) -> Stopwatch:
        """An expert is being asked from now on, until `expert_ends`."""
        if self._busy == 0:
            self._busy_since_ms = self._watch.ms
        self._busy += 1
        return Stopwatch()

    def expert_ends(self) -> None:
        """The counterpart of `expert_begins`."""
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
        if len(self.attempts) == 1 and not calls:
            return self.attempts[0].cost_usd
        return sum(attempt.cost_usd for attempt in (*calls, *self.attempts))

    @property
    def outcome(self) -> Literal["answered", "failed", "client left"]:
        """How the request ended: one that has neither answer nor error was left by its client."""
        if self.error is not None:
            return "failed"
        return "answered" if self.verdict is not None else "client left"

    def fail(self, error: Exception) -> None:
        """Note the error that ended the request: there is no answer then, and nobody who gave it."""
        self.expert = None
        self.error = Failure(kind=type(error).__name__, message=str(error))

    def close(self) -> None:
        """Stop the clock of the whole request, and let go of its conversation: decisions outlive it."""
        self._total_ms = self._watch.ms
        self.turn = _NO_TURN

    def forget_content(self) -> None:
        """Let go of the texts, which are not kept."""
        self.query = ""
        self.explanation = None
        self.drafts = [draft.model_copy(update={"text": None}) for draft in self.drafts]
        self.consensus = self.consensus and self.consensus.without_content()
        if self.verdict is not None and self.verdict.prompt is not None:
            self.verdict = self.verdict.model_copy(update={"prompt": None})

    @property
    def total_ms(self) -> float:
        """Of the whole request, up to now while it runs."""
        return self._watch.ms if self._total_ms is None else self._total_ms

    @property
    def overhead_ms(self) -> float:
        """The time in which no expert was at work."""
        return round(max(0.0, self.total_ms - self._experts_ms), 3)

    def decision(self) -> Decision:
        """What is known by now, content included."""
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
            total_ms=self.total_ms,
            overhead_ms=self.overhead_ms,
        )
