"""How patient a connection is. Knows no server and no clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a connection is; all in seconds.

    connect_s: for starting the server, the handshake and the list of tools.
    retry_s, most_s: longest wait before the first attempt to reconnect, and the most that this doubles to. A connection
        that stood for `most_s` begins anew.
    patience_s: for which calls wait for a connection that was lost to come back; later ones fail at once.
    relist_s: between two looks at the tools, which also find an HTTP server that is gone.
    settle_s: between two looks that the server asked for, so that one who keeps saying that its tools have changed does
        not keep us busy.
    reply_s: for the server to list its tools when a call was left without an answer; one that does not is started anew.
    jitter: 0 to 1, how much of the second half of a wait is waited: random, so that the clients of a server that went
        down do not all come back at once.
    """

    connect_s: float = 30.0
    retry_s: float = 0.5
    most_s: float = 30.0
    patience_s: float = 5.0
    relist_s: float = 60.0
    settle_s: float = 0.2
    reply_s: float = 5.0
    jitter: Callable[[], float] = random.random

    def pause_s(self, failures: int) -> float:
        """The wait after so many connections in a row that did not come about, or did not last; 1 or more."""
        longest_s = min(self.retry_s * 2.0 ** min(failures - 1, 32), self.most_s)
        return longest_s * (0.5 + 0.5 * self.jitter())
