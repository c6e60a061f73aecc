"""What the service measures about itself, as Prometheus metrics: base units, labels of bounded variety.

Requests are counted where they end, in plain numbers: all of it happens on the event loop, so that no lock is needed.
How experts are is read when somebody asks (`GET /metrics`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.engine import Engine
from orchestrator.trace import Trace

__all__ = ["Meters", "Times", "metrics"]

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_NOBODY = "none"


class Times:
    """A histogram of seconds. bounds: the upper ends of its buckets, rising; above the last there is one more."""

    __slots__ = ("bounds", "counts", "total_s")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """How many were at most so long, as Prometheus has it."""
        ends = [*map(str, self.bounds), "+Inf"]
        return list(zip(ends, map(float, accumulate(self.counts)), strict=True))


class Meters:
    """The metrics of one service; a collector of prometheus_client."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._requests: dict[tuple[str, ...], float] = defaultdict(float)
        self._attempts: dict[tuple[str, ...], float] = defaultdict(float)
        self._tokens: dict[tuple[str, ...], float] = defaultdict(float)
        self._usd: dict[tuple[str, ...], float] = defaultdict(float)
        self._whole: dict[tuple[str, ...], Times] = defaultdict(lambda: Times(_SECONDS))
        self._first: dict[tuple[str, ...], Times] = defaultdict(lambda: Times(_SECONDS))
        self._overhead = Times(_OVERHEAD_SECONDS)
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def ended(self, trace: Trace) -> None:
        """Count a request that has ended."""
        expert = trace.expert or _NOBODY
        self._requests[expert, trace.outcome] += 1
        self._whole[(expert,)].add(trace.total_ms / 1000)
        self._overhead.add(trace.overhead_ms / 1000)
        for attempt in trace.attempts:
            expert = attempt.expert
            self._attempts[expert, attempt.outcome] += 1
            if attempt.first_token_ms is not None:
                self._first[(expert,)].add(attempt.first_token_ms / 1000)
            if attempt.tokens is not None:
                self._tokens[expert, "input"] += attempt.tokens.input
                self._tokens[expert, "output"] += attempt.tokens.output
            if attempt.cost_usd:
                self._usd[(expert,)] += attempt.cost_usd

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        outcome, alone = ("expert", "outcome"), ("expert",)
        yield _counter("requests", "Chat requests that have ended.", outcome, self._requests)
        yield _counter("attempts", "Calls of experts; a retry is one of its own.", outcome, self._attempts)
        yield _counter("tokens", "Tokens as experts count them.", ("expert", "direction"), self._tokens)
        yield _counter("cost_usd", "What calls of experts cost.", alone, self._usd)
        yield _histogram("request_seconds", "From the request's last byte to the answer's.", alone, self._whole)
        yield _histogram("first_token_seconds", "From asking an expert to its first chunk.", alone, self._first)
        yield _histogram(
            "overhead_seconds", "The part of a request in which no expert was at work.", (), {(): self._overhead}
        )
        yield self._up()
        yield from self._stored()

    def _up(self) -> Metric:
        up = GaugeMetricFamily("orchestrator_expert_up", "1 while the expert is up.", labels=["expert"])
        registry = self._engine.registry
        for expert in registry:
            up.add_metric([expert], float(registry.condition(expert).state == "up"))
        return up

    def _stored(self) -> Iterator[Metric]:
        """What was written of the use, and what was not; nothing where there is no store."""
        if self._engine.store is None:
            return
        health = self._engine.store.health
        rows: dict[tuple[str, ...], float] = {("written",): float(health.written), ("lost",): float(health.lost)}
        yield _counter("store_rows", "Rows that were to be kept.", ("outcome",), rows)
        yield GaugeMetricFamily("orchestrator_store_waiting", "Rows that are not written yet.", value=health.waiting)
        up = float(not health.failing)
        yield GaugeMetricFamily("orchestrator_store_up", "0 while the store cannot be written.", value=up)


def _counter(name: str, text: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]) -> Metric:
    family = CounterMetricFamily(f"orchestrator_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, text: str, labels: Sequence[str], values: Mapping[tuple[str, ...], Times]) -> Metric:
    family = HistogramMetricFamily(f"orchestrator_{name}", text, labels=labels)
    for key, times in values.items():
        family.add_metric(key, buckets=times.buckets(), sum_value=times.total_s)
    return family


async def metrics(http: Request) -> Response:
    """The service's own metrics, for Prometheus."""
    meters: Meters = http.app.state.meters
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)
