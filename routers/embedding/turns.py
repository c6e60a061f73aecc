"""A lock that goes to whoever has waited longest. Knows nothing of what is done under it."""

from collections import deque
from threading import Lock
from types import TracebackType

__all__ = ["Turns"]


class Turns:
    """Use it as `with turns:`.

    A `threading.Lock` goes to whoever is quickest, which is the thread that has just let go of it: one that makes
    call after call could keep everybody else out.
    """

    def __init__(self) -> None:
        self._state = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()

    @property
    def awaited(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._state:
            if not self._taken:
                self._taken = True
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # returns when the one before lets go: it hands its turn over, so nobody comes in between

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._state:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
