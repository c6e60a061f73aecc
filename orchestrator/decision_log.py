"""The latest decisions, in memory, without content."""

from __future__ import annotations

from collections import OrderedDict

from orchestrator.decision import Decision

__all__ = ["DecisionLog"]


class DecisionLog:
    """The latest decisions, without content, in memory."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._decisions: OrderedDict[str, Decision] = OrderedDict()

    def add(self, decision: Decision) -> Decision:
        """Keep a decision, and return what is kept of it; the oldest goes when there are too many."""
        kept = decision.without_content()
        self._decisions[decision.id] = kept
        while len(self._decisions) > self._most:
            self._decisions.popitem(last=False)
        return kept

    def get(self, decision_id: str) -> Decision | None:
        """A decision by its id, None where it is not (any more) known."""
        return self._decisions.get(decision_id)
