"""Which experts answer a category: what was learned where there is something, what experts.yaml lists where not.

The person has the last word: `override: true` keeps a category as it is listed. Knows no health and no prices.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.config import Config
from orchestrator.config.settings import CategorySettings
from routers.mapping import Plan
from routers.mapping.learned import LearnedMapping

__all__ = ["BEST", "Planned", "Plans"]

BEST = 1.0
"""The `cost_quality` of a request that names none: the best plan within the budget."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A category's plan. cost_quality: the place on the learned frontier; None where it stands as listed, and `why`."""

    plan: Plan
    cost_quality: float | None = None
    why: str = ""


class Plans:
    """The plans of a configuration and of the mapping that its artifact holds, if any."""

    def __init__(self, config: Config, learned: LearnedMapping | None = None) -> None:
        self._categories = config.categories
        self._experts = frozenset(config.experts)
        self._learned = learned
        self._graded = frozenset(learned.experts if learned else ())
        self._listed = {name: self._as_listed(name, block) for name, block in config.categories.items()}

    def planned(self, category: str, *, cost_quality: float | None = None) -> Planned:
        """How a category of the configuration is answered.

        cost_quality: 0 (cheapest) to 1 (best within the budget); None for the best.
        """
        listed = self._listed[category]
        if self._learned is None or listed.why:
            return listed
        place = BEST if cost_quality is None else cost_quality
        plan = self._learned.plan(category, cost_quality=place)
        present = tuple(expert for expert in plan.experts if expert in self._experts)
        if plan.kind == "fuse":
            whole = len(present) == len(plan.experts)
            return Planned(plan, place) if whole else Planned(listed.plan, why="an expert of its learned plan is gone")
        if not present:
            return Planned(listed.plan, why="the experts of its learned plan are gone")
        others = tuple(expert for expert in self._categories[category].experts if expert not in self._graded)
        return Planned(Plan(kind="single", experts=(*present, *others)), place)

    def _as_listed(self, category: str, block: CategorySettings) -> Planned:
        """`why` says why it stands so whatever a request asks for; without it there is a learned plan."""
        plan = Plan(kind=block.plan, experts=block.experts)
        if self._learned is None:
            why = "no mapping was learned"
        elif block.override:
            why = "override"
        elif category not in self._learned.ranking:
            why = "none of its queries were graded"
        elif block.plan == "fuse" and not self._learned.fused:
            why = "fuse plans were not graded"
        else:
            why = ""
        return Planned(plan, why=why)
