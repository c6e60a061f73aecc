"""Which expert a conversation is with. In memory, bounded; knows no scores and asks nobody."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from orchestrator import clock
from orchestrator.conversation.turns import Turn

__all__ = ["Held", "Sessions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is known of a conversation.

    mark: of the turn that was answered last, by `expert`. settled: the expert that the conversation is with: never one
    that stood in for another, or was asked because nothing could be classified; None where there is none yet.
    until: on the event loop's clock.
    """

    mark: bytes
    expert: str
    settled: str | None
    until: float


class Sessions:
    """The latest `most` conversations, each for `ttl_s` after its last answer.

    A conversation is known by the session that the client names, or by its turn: an agent that goes on with a request
    sends what it has sent before.
    """

    def __init__(self, *, most: int, ttl_s: float) -> None:
        self._most = most
        self._ttl_s = ttl_s
        self._known: OrderedDict[str | bytes, Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def in_loop(self, turn: Turn, session: str | None) -> str | None:
        """The expert that is at work on this turn; None where it has just begun, or nobody knows."""
        if not turn.looping:
            return None
        mark = turn.mark
        held = self._get(session or mark)
        return held.expert if held is not None and held.mark == mark else None

    def settled(self, session: str | None) -> str | None:
        """The expert that the session's conversation is with."""
        held = None if session is None else self._get(session)
        return None if held is None else held.settled

    def answered(self, turn: Turn, session: str | None, expert: str, *, settles: bool) -> None:
        """Note who answered. settles: the session is with this expert from now on; else as before."""
        if not self._most or (session is None and not turn.by_agent):
            return
        mark = turn.mark
        before = None if session is None else self._get(session)
        self._known[session or mark] = Held(
            mark=mark,
            expert=expert,
            settled=expert if settles else None if before is None else before.settled,
            until=clock.now() + self._ttl_s,
        )
        self._known.move_to_end(session or mark)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def _get(self, key: str | bytes) -> Held | None:
        held = self._known.get(key)
        return held if held is not None and held.until > clock.now() else None
