"""The figures of a soak: as JSON, as a table, and the verdict."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from eval.soak.soaking import Soaked
from eval.soak.tally import percentile
from eval.soak.trend import Trend

__all__ = ["faults_of", "figures_of", "long_enough", "table_of"]

_MEMORY_SHARE = 0.01
_MEMORY_MIB = 3.0
_SOCKETS = 8.0
_LEAST_MINUTES = 5.0
"""Errors leave garbage in circles behind, which the collector looks for about once a minute: a shorter stretch may
have more of the rises than of the falls."""


def figures_of(soaked: Soaked) -> dict[str, Any]:
    """All of it, for a file."""
    tally, (memory, sockets) = soaked.tally, _trends(soaked)
    return {
        "plan": asdict(soaked.plan),
        "requests": tally.requests,
        "whole": tally.whole,
        "refused": {str(status): count for status, count in sorted(tally.refused.items())},
        "broken": tally.broken,
        "bad": tally.bad,
        "bad_reasons": tally.bad_reasons,
        "defects": soaked.defects,
        "kills": len(soaked.killed),
        "connections": soaked.connections,
        "servers": dict(sorted(tally.servers.items())),
        "took_s": {f"p{percent}": percentile(tally.took_s, percent) for percent in (50, 99)},
        "first_s": {f"p{percent}": percentile(tally.first_s, percent) for percent in (50, 99)},
        "memory_mib": None if memory is None else asdict(memory),
        "sockets": None if sockets is None else asdict(sockets),
        "growth_judged": long_enough(soaked),
        "faults": faults_of(soaked),
    }


def faults_of(soaked: Soaked) -> list[str]:
    """Why the soak has failed; empty where it has not."""
    tally, (memory, sockets) = soaked.tally, _trends(soaked)
    faults = []
    if tally.bad:
        faults.append(f"{tally.bad} bad outcomes")
    if not tally.whole:
        faults.append("no whole answer")
    if soaked.defects:
        faults.append(f"{soaked.defects} defects in the service's log")
    if memory is None or sockets is None:
        faults.append("too few samples of memory and sockets: soak for longer")
        return faults
    if not long_enough(soaked):
        return faults
    if memory.grows(more_than=max(_MEMORY_MIB, _MEMORY_SHARE * memory.first)):
        faults.append("memory grows")
    if sockets.grows(more_than=_SOCKETS):
        faults.append("open sockets grow")
    return faults


def long_enough(soaked: Soaked) -> bool:
    """Whether growth can be judged."""
    memory, _ = _trends(soaked)
    return memory is not None and memory.minutes >= _LEAST_MINUTES


def table_of(soaked: Soaked) -> Table:
    """For a terminal."""
    tally, (memory, sockets) = soaked.tally, _trends(soaked)
    table = Table("what", "figure", box=None)
    table.add_row("requests", f"{tally.requests:,}, on {soaked.connections} connections")
    table.add_row("whole answers", _share(tally.whole, tally.requests))
    for status, count in sorted(tally.refused.items()):
        table.add_row(f"refused before the first byte, {status}", _share(count, tally.requests))
    table.add_row("error event after it", _share(tally.broken, tally.requests))
    table.add_row("BAD: none, doubled, too late", _share(tally.bad, tally.requests))
    table.add_row("servers killed and restarted", f"{len(soaked.killed)}")
    table.add_row("defects in the service's log", f"{soaked.defects}")
    table.add_row("whole answer, p50 and p99", _times(tally.took_s))
    table.add_row("first byte of it, p50 and p99", _times(tally.first_s))
    table.add_row("memory of the service, MiB", _drift(memory))
    table.add_row("its open sockets", _drift(sockets))
    return table


def _trends(soaked: Soaked) -> tuple[Trend | None, Trend | None]:
    try:
        return soaked.vitals.trends(soaked.measured_from)
    except ValueError:
        return None, None


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / max(1, of):.2%})"


def _times(seconds: list[float]) -> str:
    middle, late = percentile(seconds, 50), percentile(seconds, 99)
    return "none" if middle is None or late is None else f"{middle:.2f} s, {late:.2f} s"


def _drift(trend: Trend | None) -> str:
    if trend is None:
        return "not measured"
    line = f"{trend.slope:+.3f} ± {trend.error:.3f} a minute over {trend.minutes:.1f} minutes"
    return f"{trend.first:.1f} after the warm-up, {trend.last:.1f} at the end, {line}"
