"""The clock of deadlines: that of the event loop, the same that `anyio.current_time()` reads, without the way to it."""

from asyncio import get_running_loop

__all__ = ["now"]


def now() -> float:
    """Seconds on the running event loop's clock; raises RuntimeError where none runs."""
    return get_running_loop().time()
