"""What the service measures about itself, as Prometheus metrics: base units, labels of bounded variety.

Requests are counted where they end. How experts and their servers are is read when somebody asks (`GET /metrics`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.decision import Attempt
from orchestrator.engine import Engine
from orchestrator.trace import Trace

__all__ = ["Meters", "metrics"]

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_NOBODY = "none"


class Meters:
    """The metrics of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "orchestrator_requests", "Chat requests that have ended.", ["expert", "outcome"], registry=self.registry
        )
        self._attempts = Counter(
            "orchestrator_attempts",
            "Calls of experts; a retry is one of its own.",
            ["expert", "outcome"],
            registry=self.registry,
        )
        self._tokens = Counter(
            "orchestrator_tokens", "Tokens as experts count them.", ["expert", "direction"], registry=self.registry
        )
        self._cost = Counter("orchestrator_cost_usd", "What calls of experts cost.", ["expert"], registry=self.registry)
        self._seconds = Histogram(
            "orchestrator_request_seconds",
            "From the request's last byte to the answer's.",
            ["expert"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._first = Histogram(
            "orchestrator_first_token_seconds",
            "From asking an expert to its first chunk.",
            ["expert"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._overhead = Histogram(
            "orchestrator_overhead_seconds",
            "The part of a request in which no expert was at work.",
            buckets=_OVERHEAD_SECONDS,
            registry=self.registry,
        )
        # Looking a child up by its labels costs more than counting does.
        self._requests_of = lru_cache(maxsize=None)(self._requests.labels)
        self._attempts_of = lru_cache(maxsize=None)(self._attempts.labels)
        self._tokens_of = lru_cache(maxsize=None)(self._tokens.labels)
        self._cost_of = lru_cache(maxsize=None)(self._cost.labels)
        self._seconds_of = lru_cache(maxsize=None)(self._seconds.labels)
        self._first_of = lru_cache(maxsize=None)(self._first.labels)

    def ended(self, trace: Trace) -> None:
        """Count a request that has ended."""
        expert = trace.expert or _NOBODY
        self._requests_of(expert, trace.outcome).inc()
        self._seconds_of(expert).observe(trace.total_ms / 1000)
        self._overhead.observe(trace.overhead_ms / 1000)
        for attempt in trace.attempts:
            self._asked(attempt)

    def _asked(self, attempt: Attempt) -> None:
        self._attempts_of(attempt.expert, attempt.outcome).inc()
        if attempt.first_token_ms is not None:
            self._first_of(attempt.expert).observe(attempt.first_token_ms / 1000)
        if (tokens := attempt.tokens) is not None and tokens.input + tokens.output:
            self._tokens_of(attempt.expert, "input").inc(tokens.input)
            self._tokens_of(attempt.expert, "output").inc(tokens.output)
        if attempt.cost_usd:
            self._cost_of(attempt.expert).inc(attempt.cost_usd)

    def watch(self, engine: Engine) -> None:
        """Show how the experts of this engine are, from now on."""
        self.registry.register(_Experts(engine))


class _Experts:
    """How experts are at the moment somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """One sample an expert."""
        up = GaugeMetricFamily("orchestrator_expert_up", "1 while the expert is up.", labels=["expert"])
        for expert in self._engine.registry:
            up.add_metric([expert], float(self._engine.registry.condition(expert).state == "up"))
        yield up


async def metrics(http: Request) -> Response:
    """The service's own metrics, for Prometheus."""
    meters: Meters = http.app.state.meters
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)
