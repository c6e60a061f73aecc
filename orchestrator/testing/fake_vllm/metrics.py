"""The faked server's `/metrics`: vLLM's names and labels in Prometheus' text form. Knows no HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.testing.fake_vllm.engine import Engine

__all__ = ["CONTENT_TYPE", "Counts", "exposition"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS_S = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 40.0)
_REASONS = ("stop", "length", "abort", "error", "repetition")
_SLEEP_STATES = {None: "awake", 0: "awake", 1: "weights_offloaded", 2: "discard_all"}


@dataclass(slots=True)
class Timings:
    """A histogram of seconds."""

    values: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS_S))
    count: int = 0
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.count += 1
        self.sum_s += seconds
        for index, bound in enumerate(_BOUNDS_S):
            self.values[index] += seconds <= bound


@dataclass(slots=True)
class Counts:
    """What the server counted since it began.

    pretended_running, pretended_waiting: requests told beside the real ones. kv_cache_usage: 0 to 1; None: the share
    of places that are taken.
    """

    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_REASONS, 0))
    prompt_tokens: int = 0
    generation_tokens: int = 0
    first_token: Timings = field(default_factory=Timings)
    whole: Timings = field(default_factory=Timings)
    pretended_running: int = 0
    pretended_waiting: int = 0
    kv_cache_usage: float | None = None
    lora_series: dict[tuple[str, str], float] = field(default_factory=dict)

    def finish(self, reason: str, *, prompt_tokens: int, output_tokens: int) -> None:
        """Count a request that came to its end."""
        self.finished[reason if reason in self.finished else "stop"] += 1
        self.prompt_tokens += prompt_tokens
        self.generation_tokens += output_tokens


def exposition(counts: Counts, engine: Engine, *, model: str, lora: bool) -> str:
    """The whole page."""
    own = {"engine": "0", "model_name": model}
    lines = [*_gauges(counts, engine, own), *_sleep_state(engine, own), *_totals(counts, own)]
    if lora:
        lines.extend(_adapters(counts, engine))
    return "\n".join(lines) + "\n"


def _gauges(counts: Counts, engine: Engine, own: Mapping[str, str]) -> Iterator[str]:
    running = len(engine.running) + counts.pretended_running
    waiting = len(engine.waiting) + counts.pretended_waiting
    usage = counts.kv_cache_usage
    if usage is None:
        usage = min(1.0, running / engine.max_num_seqs)
    yield from _head("num_requests_running", "gauge", "Number of requests in model execution batches.")
    yield _line("num_requests_running", running, own)
    yield from _head("num_requests_waiting", "gauge", "Number of requests waiting to be processed.")
    yield _line("num_requests_waiting", waiting, own)
    yield from _head("num_requests_waiting_by_reason", "gauge", "Number of waiting requests by reason.")
    yield _line("num_requests_waiting_by_reason", waiting, {**own, "reason": "capacity"})
    yield _line("num_requests_waiting_by_reason", 0, {**own, "reason": "deferred"})
    yield from _head("kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.")
    yield _line("kv_cache_usage_perc", usage, own)


def _sleep_state(engine: Engine, own: Mapping[str, str]) -> Iterator[str]:
    yield from _head("engine_sleep_state", "gauge", "Engine sleep state.")
    now = _SLEEP_STATES[engine.level]
    for state in ("awake", "weights_offloaded", "discard_all"):
        yield _line("engine_sleep_state", float(state == now), {**own, "sleep_state": state})


def _totals(counts: Counts, own: Mapping[str, str]) -> Iterator[str]:
    yield from _head("request_success", "counter", "Count of successfully processed requests.")
    for reason, number in counts.finished.items():
        yield _line("request_success_total", number, {**own, "finished_reason": reason})
    for name, value in (
        ("prompt_tokens", counts.prompt_tokens),
        ("generation_tokens", counts.generation_tokens),
        ("num_preemptions", 0),
        ("prefix_cache_queries", counts.prompt_tokens),
        ("prefix_cache_hits", 0),
    ):
        yield from _head(name, "counter", f"Cumulative {name.replace('_', ' ')}.")
        yield _line(f"{name}_total", value, own)
    yield from _histogram("time_to_first_token_seconds", counts.first_token, own)
    yield from _histogram("e2e_request_latency_seconds", counts.whole, own)


def _histogram(name: str, timings: Timings, own: Mapping[str, str]) -> Iterator[str]:
    yield from _head(name, "histogram", f"Histogram of {name.replace('_', ' ')}.")
    for bound, number in zip(_BOUNDS_S, timings.values, strict=True):
        yield _line(f"{name}_bucket", number, {**own, "le": str(bound)})
    yield _line(f"{name}_bucket", timings.count, {**own, "le": "+Inf"})
    yield _line(f"{name}_count", timings.count, own)
    yield _line(f"{name}_sum", timings.sum_s, own)


def _adapters(counts: Counts, engine: Engine) -> Iterator[str]:
    """As in vLLM no series is ever dropped: the newest has the highest value, which is its time."""
    running = ",".join(sorted({job.adapter for job in engine.running if job.adapter}))
    waiting = ",".join(sorted({job.adapter for job in engine.waiting if job.adapter}))
    counts.lora_series[running, waiting] = time.time()
    yield from _head("lora_requests_info", "gauge", "Running stats on lora requests.")
    for (ran, waited), told_at in counts.lora_series.items():
        labels = {
            "max_lora": str(engine.max_loras),
            "running_lora_adapters": ran,
            "waiting_lora_adapters": waited,
        }
        yield _line("lora_requests_info", told_at, labels)


def _head(name: str, kind: str, meaning: str) -> tuple[str, str]:
    name = f"{name}_total" if kind == "counter" else name
    return f"# HELP vllm:{name} {meaning}", f"# TYPE vllm:{name} {kind}"


def _line(name: str, value: float, labels: Mapping[str, str]) -> str:
    written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"vllm:{name}{{{written}}} {float(value)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
