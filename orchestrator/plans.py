"""Which experts answer a category: what was learned where there is something, what experts.yaml lists where not.

The person has the last word: `override: true` keeps a category as it is listed. Knows no health and no prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.config import Config
from orchestrator.config.settings import CategorySettings
from routers.mapping import Plan
from routers.mapping.learned import LearnedMapping
from routers.mapping.matrix import Cell

__all__ = ["BEST", "Planned", "Plans"]

BEST = 1.0
"""The `cost_quality` of a request that names none: the best plan within the budget."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A category's plan.

    cost_quality: the place on the learned frontier; None where the plan stands as listed. why: it is not the plan that
    was learned; empty where it is. gain: of a learned fuse plan, for people; evidence: what it stands on. instead: of
    a learned fuse plan, who is asked one after the other where it cannot be served whole.
    """

    plan: Plan
    cost_quality: float | None = None
    why: str = ""
    gain: str = ""
    evidence: Cell | None = None
    instead: tuple[str, ...] = ()


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
        if plan.kind == "single":
            return self._single(category, plan, listed, place=place)
        gone = [
            expert for expert in (*plan.experts, plan.verdict) if expert is not None and expert not in self._experts
        ]
        single = self._single(category, self._learned.single(category), listed, place=place)
        if gone:  # with one of them missing it is not the plan whose gain was measured
            return replace(single, why=f"{', '.join(gone)} is gone") if single.cost_quality is not None else single
        column = self._learned.column(category, cost_quality=place) or ""
        cell = self._learned.cells[category].get(column)
        return Planned(plan, place, gain=self._gain(column, cell), evidence=cell, instead=single.plan.experts)

    def _gain(self, column: str, cell: Cell | None) -> str:
        """What a fuse plan gains, and how sure its bounds are: less where it is proven over all categories."""
        if self._learned is None or cell is None or not (gain := cell.gain_text()):
            return ""
        return f"{gain} (each bound at {self._learned.fused[column].confidence:.0%})"

    def score(self, category: str, expert: str) -> float | None:
        """The expected score of an expert in a category; None where it is not known, or the order is a person's."""
        if self._learned is None or self._listed[category].why:
            return None
        cell = self._learned.cells.get(category, {}).get(expert)
        return None if cell is None else cell.mean

    def worth(self, category: str, expert: str) -> float:
        """How well an expert answers a category, 0 to 1, for weighing it against others.

        The learned score; where a person ordered the experts, one over its place; 0 for one that nobody names.
        """
        if (score := self.score(category, expert)) is not None:
            return score
        listed = self._listed.get(category)
        if listed is None or expert not in listed.plan.experts or (self._learned is not None and not listed.why):
            return 0.0
        return 1.0 / (1 + listed.plan.experts.index(expert))

    def _single(self, category: str, plan: Plan, listed: Planned, *, place: float) -> Planned:
        """A learned order of experts, as far as they are there; those that are listed and were not graded follow."""
        present = tuple(expert for expert in plan.experts if expert in self._experts)
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
        elif block.plan == "fuse" and not self._learned.tried(category):
            why = "fuse plans were not graded"
        else:
            why = ""
        return Planned(plan, why=why)
