"""The drift watch over decisions and feedback: which of their values go to which stream. Imports river when made."""

from __future__ import annotations

from datetime import datetime

from orchestrator.usage.alert import Alert
from orchestrator.usage.lines import DecisionLine, FeedbackLine
from routers.usage import drift

__all__ = ["UsageWatch"]


class UsageWatch:
    """Takes lines in the order in which they came; holds no text."""

    def __init__(self) -> None:
        self._watch = drift.DriftWatch()

    def decision(self, line: DecisionLine) -> list[Alert]:
        """Confidence and familiarity of what the router classified.

        A category's slice has the queries that are likest to it, those that the gate took away included: what drifts
        away from a category would else be missing from it.
        """
        if line.method != "router":
            return []
        values: list[tuple[drift.Signal, float | None]] = [
            ("confidence", line.confidence),
            ("familiarity", line.familiarity),
        ]
        found = [
            self._watch.observe(signal, value, observation=line.id, category=line.top, expert=line.expert)
            for signal, value in values
            if value is not None
        ]
        return [_shown(alert, line.time) for alerts in found for alert in alerts]

    def feedback(self, line: FeedbackLine, *, category: str | None) -> list[Alert]:
        """The score. category: where the query was sent."""
        if line.score is None:
            return []
        alerts = self._watch.observe(
            "score", line.score, observation=line.decision, category=category, expert=line.expert
        )
        return [_shown(alert, line.time) for alert in alerts]


def _shown(alert: drift.Alert, raised: datetime) -> Alert:
    return Alert(
        raised=raised,
        signal=alert.signal,
        slice=alert.slice.kind,
        name=alert.slice.name,
        decision=alert.observation,
        since=alert.since,
        values=alert.values,
        before=alert.before,
        after=alert.after,
        led_by=alert.led_by,
    )
