"""CPU time of calls that take microseconds, side by side. Knows nothing of what it calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

__all__ = ["cpu_us"]

Query = TypeVar("Query")


def cpu_us(
    calls: Mapping[str, Callable[[Query], object]], queries: Sequence[Query], *, rounds: int = 5
) -> dict[str, float]:
    """CPU microseconds of each call a query: the least of several rounds, in which the calls take turns.

    A first round is not counted: what loads lazily loads then.
    """
    least = dict.fromkeys(calls, float("inf"))
    for number in range(rounds + 1):
        for name, call in calls.items():
            started = time.process_time()
            for query in queries:
                call(query)
            took = (time.process_time() - started) / len(queries) * 1e6
            if number:
                least[name] = min(least[name], took)
    return least
