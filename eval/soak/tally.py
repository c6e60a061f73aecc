"""What became of all streams: how many ended how, and how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.soak.outcomes import Outcome

__all__ = ["Tally", "percentile"]

_SHOWN = 20


@dataclass(slots=True)
class Tally:
    """Counts of outcomes. refused: by status. bad: what was bad, the first few. took_s, first_s: of whole answers."""

    whole: int = 0
    broken: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    bad: int = 0
    bad_reasons: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    servers: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """All of them."""
        return self.whole + self.broken + self.refused.total() + self.bad

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        match outcome.kind:
            case "whole":
                self.whole += 1
                self.took_s.append(outcome.took_s)
                self.first_s.append(outcome.first_s or 0.0)
            case "broken":
                self.broken += 1
            case "refused":
                self.refused[outcome.status] += 1
            case "bad":
                self.bad += 1
                if len(self.bad_reasons) < _SHOWN:
                    self.bad_reasons.append(outcome.reason)
        if outcome.origin is not None:
            self.servers[outcome.origin.server] += 1


def percentile(values: Sequence[float], percent: float) -> float | None:
    """None of nothing."""
    return float(np.percentile(values, percent)) if values else None
