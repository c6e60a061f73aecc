"""What a request may ask of the router itself, beside what it asks of experts. Knows no surface."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NO_CONTROLS", "Controls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Each field at its default changes nothing.

    category: instead of what the router would say. cost_quality: where on the learned frontier to choose, 0 (cheapest)
    to 1 (best within the budget); None: the best. max_cost_usd: experts that are expected to cost more are not asked,
    nor fused plans that would together; the service's budget holds beside it. deadline_s: seconds until the whole
    answer; the service's holds beside it. fuse: drafts and a verdict whatever the plan (true), or never (false).
    explain: the decision tells what decided.
    """

    category: str | None = None
    cost_quality: float | None = None
    max_cost_usd: float | None = None
    deadline_s: float | None = None
    fuse: bool | None = None
    explain: bool = False


NO_CONTROLS = Controls()
