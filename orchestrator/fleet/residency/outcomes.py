"""What one replay found, in figures."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Outcome"]

KEEPING_UP = 0.9
"""Answers by requests a second, below which a link is said not to keep up,"""
OVERLOADED_SHARE = 0.5
"""where switching is more than this of all latency; short traces end with some answers under way anyway."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of one replay, of the requests after the warm-up.

    switch_share: of all seconds of latency, those in which a request waited for its expert to be awake.
    evictions: by the tier that was left. throughput_per_s: requests by the seconds from first arrival to last end.
    asked_per_s: requests by the seconds from first to last arrival.
    """

    policy: str
    awake_bytes: int
    requests: int
    hit_ratio: float
    loads: int
    loads_from_cold: int
    prefetches: int
    evictions: dict[str, int]
    moved_bytes: int
    switch_share: float
    mean_s: float
    p50_s: float
    p95_s: float
    throughput_per_s: float
    asked_per_s: float

    @property
    def overloaded(self) -> bool:
        """Switching alone made the answers fall behind the requests, so that latency grows with the trace's length."""
        return self.switch_share > OVERLOADED_SHARE and self.throughput_per_s < KEEPING_UP * self.asked_per_s
