"""How much a server has to do, from what it reports and from what we sent it. Does no I/O.

The report is vLLM's page of metrics, of which three are read; any other page, or a broken one, is no report. Only there
it shows what others than we have sent to a server, and how full its memory is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["LoadReport", "Pressure", "burden", "read_report"]

_RUNNING = "vllm:num_requests_running"
_WAITING = "vllm:num_requests_waiting"
_KV_USAGE = "vllm:kv_cache_usage_perc"
_SAMPLE = re.compile(r"^(vllm:\w+)(?:\{[^\n]*\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*$", re.MULTILINE)
_WAITING_WEIGHT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a server said about itself.

    running, waiting: requests, of all clients. kv_usage: share of its key-value memory in use, 0 to 1.
    """

    running: float
    waiting: float
    kv_usage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What a report adds to the requests that we have under way: those of others, the queue, the memory in use."""

    others: float = 0.0
    waiting: float = 0.0
    kv_usage: float = 0.0

    @classmethod
    def of(cls, report: LoadReport, *, in_flight: int) -> Pressure:
        """in_flight: ours when the report was made."""
        others = max(0.0, report.running + report.waiting - in_flight)
        return cls(others=others, waiting=report.waiting, kv_usage=report.kv_usage)

    @classmethod
    def mean(cls, known: Sequence[Pressure]) -> Pressure:
        """What to assume of a server that reports nothing: it is as the others. Less would flood it, more starve it."""
        count = len(known)
        return cls(
            others=sum(each.others for each in known) / count,
            waiting=sum(each.waiting for each in known) / count,
            kv_usage=sum(each.kv_usage for each in known) / count,
        )


def burden(in_flight: int, pressure: Pressure) -> float:
    """The larger, the later a further request would be served; never 0.

    A request that waits counts twice: those that run side by side hardly slow each other down, a queue does. Memory in
    use raises it by up to as much again, since a server without free memory puts running requests back into the queue.
    """
    requests = 1 + in_flight + pressure.others + _WAITING_WEIGHT * pressure.waiting
    return requests * (1 + pressure.kv_usage)


def read_report(page: str) -> LoadReport | None:
    """The report in a page of metrics in Prometheus' text format; None where any of the three is missing or no number.

    A server of several engines has a sample of each: requests add up, of memory the fullest counts.
    """
    found: Mapping[str, list[float]] = {_RUNNING: [], _WAITING: [], _KV_USAGE: []}
    for name, value in _SAMPLE.findall(page):
        if name in found:
            number = _number(value)
            if number is None:
                return None
            found[name].append(number)
    if not all(found.values()) or max(found[_KV_USAGE]) > 1:
        return None
    return LoadReport(running=sum(found[_RUNNING]), waiting=sum(found[_WAITING]), kv_usage=max(found[_KV_USAGE]))


def _number(text: str) -> float | None:
    """A count or a share; None for what is neither."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
