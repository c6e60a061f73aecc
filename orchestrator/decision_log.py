"""The latest decisions, in memory; without content unless that is wanted."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from orchestrator.decision import Decision
from orchestrator.trace import Trace

__all__ = ["DecisionLog"]


class DecisionLog:
    """The latest decisions, kept as their traces: most are never looked at, and putting one together costs more."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._traces: OrderedDict[str, tuple[Trace, bool]] = OrderedDict()

    def add(self, trace: Trace, *, content: bool = False) -> None:
        """Keep what a request came to; the oldest goes when there are too many.

        content: texts (query, drafts, what the verdict was shown) are kept too; else they are forgotten at once.
        """
        if not content:
            trace.forget_content()
        self._traces[trace.id] = trace, content
        while len(self._traces) > self._most:
            self._traces.popitem(last=False)

    def latest(self, most: int) -> list[Decision]:
        """The latest of them, newest first."""
        kept = islice(reversed(self._traces.values()), most)
        return [trace.decision().without_content() for trace, _ in kept]

    def get(self, decision_id: str) -> Decision | None:
        """A decision by its id, None where it is not (any more) known."""
        if (found := self._traces.get(decision_id)) is None:
            return None
        trace, content = found
        return trace.decision() if content else trace.decision().without_content()
