"""How many calls of one expert may be repeated: a share of those that are not, so that retries multiply no outage."""

from __future__ import annotations

__all__ = ["RetryBudget"]


class RetryBudget:
    """Over any stretch of calls, at most `share` of them plus `spare` are retries."""

    def __init__(self, *, share: float = 0.2, spare: int = 10) -> None:
        self._share = share
        self._spare = self._left = float(spare)

    def called(self) -> None:
        """A first call, which earns a share of a retry."""
        self._left = min(self._spare, self._left + self._share)

    def take(self) -> bool:
        """Whether a call may be repeated; it is counted."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
