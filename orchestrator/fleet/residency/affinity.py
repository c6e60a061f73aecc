"""Which expert a session asks next: Markov affinity P(next | current), learned while the requests come.

After ExFlow, which places the experts of a model's layers by P(expert of layer l+1 | expert of layer l); here it is of
consecutive requests of one session. Causal: what it says rests on what it was shown before, and on nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Affinity"]

SMOOTHING = 4.0
"""Requests that the general usage counts for in each expert's own counts of followers."""
IDLE_GAPS = 4.0
"""After so many mean gaps of silence a session is taken to be over."""
FIRST_GAP_S = 60.0
"""The mean gap before any was seen."""


class Affinity:
    """Counts of who follows whom within a session, and where the open sessions stand.

    A session is open until it has been silent for four times the mean gap between requests of one session.
    """

    def __init__(self, experts: Sequence[str]) -> None:
        self.experts = tuple(experts)
        self.index = {expert: number for number, expert in enumerate(self.experts)}
        size = len(self.experts)
        self._followed: NDArray[np.float64] = np.zeros((size, size))
        self._follows_of: NDArray[np.float64] = np.zeros(size)
        self._used: NDArray[np.float64] = np.ones(size)
        self._started: NDArray[np.float64] = np.ones(size)
        self._standing: NDArray[np.float64] = np.zeros(size)
        self._sessions: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._gap_s = FIRST_GAP_S
        self._gaps = 1
        self._requests = 2
        self._continued = 1

    def observe(self, expert: str, *, at_s: float, session: str | None) -> None:
        """One request; without a session it counts for the general usage alone."""
        current = self.index[expert]
        self._requests += 1
        self._used[current] += 1
        self._close(at_s)
        last = self._sessions.pop(session, None) if session is not None else None
        if last is None:
            self._started[current] += 1
        else:
            before, then_s = last
            self._continued += 1
            self._followed[before, current] += 1
            self._follows_of[before] += 1
            self._standing[before] -= 1
            self._gaps += 1
            self._gap_s += (at_s - then_s - self._gap_s) / self._gaps
        if session is not None:
            self._sessions[session] = (current, at_s)
            self._standing[current] += 1

    def followers(self, expert: str) -> NDArray[np.float64]:
        """P(next | current) over all experts, in the order of `experts`; sums to 1."""
        current = self.index[expert]
        usual = self._used / self._used.sum()
        counts: NDArray[np.float64] = self._followed[current] + SMOOTHING * usual
        counts /= self._follows_of[current] + SMOOTHING
        return counts

    def next_request(self, *, now_s: float) -> NDArray[np.float64]:
        """P(expert of the next request), given where the open sessions stand; sums to 1."""
        self._close(now_s)
        open_sessions = len(self._sessions)
        fresh: NDArray[np.float64] = self._started / self._started.sum()
        if not open_sessions:
            return fresh
        weights = self._standing / (self._follows_of + SMOOTHING)
        usual = self._used * (SMOOTHING * weights.sum() / self._used.sum())
        continued = self._continued / self._requests
        mixed: NDArray[np.float64] = (weights @ self._followed + usual) * (continued / open_sessions)
        mixed += (1 - continued) * fresh
        return mixed

    def stands_at(self, expert: str) -> bool:
        """Whether an open session made its last request to this expert."""
        return bool(self._standing[self.index[expert]] > 0)

    def candidates(self, expert: str, *, least: float) -> list[tuple[str, float]]:
        """Whom to prefetch after a request to `expert`: followers as probable as `least` or more, best first."""
        chances = self.followers(expert)
        found = [int(number) for number in np.flatnonzero(chances >= least)]
        ranked = sorted(found, key=lambda number: (-chances[number], number))
        return [(self.experts[number], float(chances[number])) for number in ranked if self.experts[number] != expert]

    def _close(self, now_s: float) -> None:
        idle_s = IDLE_GAPS * self._gap_s
        while self._sessions:
            session, (expert, then_s) = next(iter(self._sessions.items()))
            if now_s - then_s <= idle_s:
                return
            del self._sessions[session]
            self._standing[expert] -= 1
