"""CPU time of calls side by side: shared machines are noisy, so calls take turns and only ratios are quoted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from rich.table import Table

__all__ = ["CALLS", "Ratio", "Times", "asked_side_by_side", "ratio_table", "side_by_side"]

Times = Mapping[str, Sequence[float]]
"""Microseconds of CPU a call, by name; one number a round, the same rounds for all."""

BLOCK_NS = 20_000_000
WARM = 3
ROUNDS = 15
CALLS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure: what it is, microseconds of ours and of the yardstick, their ratio, and the most that it may be.

    low, high: the range of the ratio over the rounds, the outermost tenths left out.
    """

    figure: str
    ours_us: float
    yardstick_us: float
    ratio: float
    low: float
    high: float
    target: float | None = None

    @classmethod
    def of(cls, figure: str, times: Times, *, ours: str, yardstick: str, target: float | None = None) -> Ratio:
        """The median of the ratios of the rounds."""
        ratios = sorted(one / other for one, other in zip(times[ours], times[yardstick], strict=True))
        cut = len(ratios) // 10
        return cls(
            figure=figure,
            ours_us=statistics.median(times[ours]),
            yardstick_us=statistics.median(times[yardstick]),
            ratio=statistics.median(ratios),
            low=ratios[cut],
            high=ratios[-1 - cut],
            target=target,
        )


def side_by_side(calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS) -> Times:
    """CPU microseconds of one call of each, all threads of the process counted, in turns.

    Each is called as often in a block as takes about 20 ms, so that the clock's own resolution does not matter; calls
    before that find the caches as the other left them, and do not count.
    """
    often = {name: _often(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(WARM):
                call()
            started = time.process_time_ns()
            for _ in range(often[name]):
                call()
            times[name].append((time.process_time_ns() - started) / often[name] / 1e3)
    return times


async def asked_side_by_side(
    calls: Mapping[str, Callable[[str], Awaitable[object]]], queries: Sequence[str], *, calls_a_block: int = CALLS
) -> Times:
    """As `side_by_side`, for calls that take a query and wait: one after the other, each for the queries in turn.

    The first round does not count: in it nothing is remembered yet.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    asked = {name: cycle(queries) for name in calls}
    for _ in range(ROUNDS + 1):
        for name, call in calls.items():
            started = time.process_time_ns()
            for _ in range(calls_a_block):
                await call(next(asked[name]))
            times[name].append((time.process_time_ns() - started) / calls_a_block / 1e3)
    return {name: rounds[1:] for name, rounds in times.items()}


def _often(call: Callable[[], object]) -> int:
    """How many calls make a block; the first is dearer and does not count."""
    call()
    started = time.process_time_ns()
    call()
    return max(1, BLOCK_NS // max(1, time.process_time_ns() - started))


def ratio_table(ratios: Sequence[Ratio]) -> Table:
    """For a terminal."""
    table = Table("figure", "us", "yardstick us", "ratio", "range", "at most", box=None)
    for row in ratios:
        most = "" if row.target is None else f"{row.target:g}"
        table.add_row(
            row.figure,
            f"{row.ours_us:,.0f}" if row.ours_us >= 10 else f"{row.ours_us:.1f}",  # noqa: PLR2004
            f"{row.yardstick_us:,.0f}",
            f"{row.ratio:.2f}",
            f"{row.low:.2f} to {row.high:.2f}",
            most,
        )
    return table
