"""When a second server is asked because the first is slow: learned from the latest answers, and rarely. Does no I/O."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import ceil

from orchestrator.experts.protocol import HedgeCounts

__all__ = ["Hedging"]

_WINDOW = 200
_LEAST = 20
_SHARE = 0.1
_MOST_SAVED = 10.0


class Hedging:
    """The rule of one expert's servers.

    percentile: of the time to the first token in the latest 200 answers, after which a second server is asked.
    share: of all streams at most so many get a second server, whatever happens: when everything is slow, twice the
        requests would not help. Unused shares are saved up to ten.
    """

    def __init__(self, percentile: float, *, share: float = _SHARE, window: int = _WINDOW, least: int = _LEAST) -> None:
        self._percentile = percentile
        self._share = share
        self._least = least
        self._latest: deque[float] = deque()
        self._window = window
        self._sorted: list[float] = []
        self._saved = 0.0
        self._streams = self._hedged = self._won = self._refused = 0

    def asked(self) -> None:
        """Count a stream; its share of a second request is saved."""
        self._streams += 1
        self._saved = min(_MOST_SAVED, self._saved + self._share)

    def observed(self, first_token_s: float) -> None:
        """A first token came after so long; or had not come by then, which is known to be too short."""
        if len(self._latest) == self._window:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
        self._latest.append(first_token_s)
        insort(self._sorted, first_token_s)

    @property
    def after_s(self) -> float | None:
        """How long to wait for a first token before a second server is asked; None while too few have been seen."""
        count = len(self._sorted)
        if count < self._least:
            return None
        return self._sorted[min(count - 1, ceil(self._percentile * count) - 1)]

    def take(self) -> bool:
        """Whether a second server may be asked now; it is counted."""
        if self._saved < 1 - 1e-9:  # ten times a tenth is a little less than one
            self._refused += 1
            return False
        self._saved -= 1
        self._hedged += 1
        return True

    def won(self) -> None:
        """The second server was the first to answer."""
        self._won += 1

    @property
    def counts(self) -> HedgeCounts:
        """For people and dashboards."""
        return HedgeCounts(
            streams=self._streams, hedged=self._hedged, won=self._won, refused=self._refused, after_s=self.after_s
        )
