"""A learned mapping: plans, what they stand on, and how they change with what may be spent. Data; learns nothing.

Stored as JSON (`as_dict`, `from_dict`); plans are put together from it on demand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping as MappingOf
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from routers.errors import ArtifactError
from routers.mapping.matrix import Cell, Matrix
from routers.mapping.plan import Mapping, Plan

__all__ = ["FORMAT", "CostUnit", "Fused", "LearnedMapping", "Limits", "Step"]

FORMAT: Final = 1

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(allow_inf_nan=False)]
CostUnit = Literal["usd_per_query", "active_params_b"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Value):
    """The budget that was kept; see `routers.mapping.budget.Budget`."""

    cost_per_query_usd: Amount | None = None
    active_params_b: Amount | None = None
    hosted_params_b: Amount | None = None


class Fused(_Value):
    """A fuse plan that was tried.

    members: who drafts. weights: by category, of the members' votes in their order; where there are none a verdict is
    written, by the expert `verdict` if that is known. n: graded queries. gain, gain_low: what it scores more over all
    of these than the best expert that costs no more in the category of each, and the lower bound of that. proven:
    whether that bound is above zero, so that less proof is needed in a category. confidence: of the lower bounds there,
    one-sided (`routers.mapping.harm`).
    """

    members: tuple[str, ...] = Field(min_length=2)
    weights: dict[str, tuple[Weight, ...]] = Field(default_factory=dict)
    verdict: str | None = None
    n: Annotated[int, Field(ge=0)] = 0
    gain: float | None = None
    gain_low: float | None = None
    proven: bool = False
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95


class Step(_Value):
    """A mapping on the frontier, as what it changes in the one before it: category -> column.

    cost: mean a query, in the mapping's unit. credit: what it is expected to score, on the safe side.
    """

    cost: Amount
    credit: float
    changes: dict[str, str]


class LearnedMapping(_Value):
    """Which plan answers which category.

    experts: in the order of the configuration. fused: the fuse plans that were tried, by name. best_single: the best
    expert overall within the budget, which a category leaves only for a credible gain. confidence: of the lower bounds
    of experts, one-sided; fuse_confidence: of fuse plans. queries: so many were learned from; drafted: to so many of
    them some fuse plan was graded. ranking: by category,
    hosted experts, the best first; general_ranking: for categories that were not learned, led by the best single one
    if the budget lets it be hosted. frontier: mappings by rising cost, the last one the best that the budget allows;
    cost_unit: None where no costs were known, and it is the only one. cells: by category and column. fallbacks: at most
    so many after the chosen expert. shares: by category, its part of the traffic; empty in mappings that were stored
    without. proven: false where time ran out before the mapping was known to be the best.
    """

    format: Literal[1] = FORMAT
    experts: tuple[str, ...] = Field(min_length=1)
    fused: dict[str, Fused] = Field(default_factory=dict)
    best_single: str
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    fuse_confidence: Annotated[float, Field(ge=0.5, lt=1)]
    budget: Limits = Limits()
    cost_unit: CostUnit | None = None
    queries: Annotated[int, Field(ge=1)]
    drafted: Annotated[int, Field(ge=0)] = 0
    ranking: dict[str, tuple[str, ...]]
    general_ranking: tuple[str, ...] = Field(min_length=1)
    frontier: tuple[Step, ...] = Field(min_length=1)
    cells: dict[str, dict[str, Cell]]
    fallbacks: Annotated[int, Field(ge=0)] = 8
    shares: dict[str, Amount] = Field(default_factory=dict)
    proven: bool = True

    @property
    def categories(self) -> tuple[str, ...]:
        """Those that were learned, in order."""
        return tuple(self.ranking)

    @cached_property
    def plans(self) -> MappingOf[str, Plan]:
        """The best plan that the budget allows, by category."""
        return self.at(1.0).plans

    @cached_property
    def fallback(self) -> Plan:
        """The plan of the best single expert, for categories that were not learned."""
        return self._single(self.general_ranking[0], self.general_ranking)

    def at(self, cost_quality: float) -> Mapping:
        """The mapping at a place on the frontier, 0 (cheapest) to 1 (best).

        It is the best one that goes at most so far from the cheapest one's cost to the dearest one's.
        """
        return Mapping({category: self.plan(category, cost_quality=cost_quality) for category in self.ranking})

    def plan(self, category: str, *, cost_quality: float = 1.0) -> Plan:
        """Of one category, at a place on the frontier; `fallback` for one that was not learned."""
        column = self.column(category, cost_quality=cost_quality)
        return self.fallback if column is None else self._plans[category][column]

    def column(self, category: str, *, cost_quality: float = 1.0) -> str | None:
        """The expert or fuse plan that is chosen for a category; None for one that was not learned."""
        if category not in self._history:
            return None
        places, columns = self._history[category]
        return columns[bisect_right(places, self.place(cost_quality)) - 1]

    def tried(self, category: str) -> tuple[str, ...]:
        """The fuse plans that were graded on queries of a category."""
        cells = self.cells.get(category, {})
        return tuple(name for name in self.fused if name in cells and cells[name].n > 0)

    def single(self, category: str) -> Plan:
        """The best experts of a category one after the other, whatever its plan; `fallback` for one not learned."""
        ranking = self.ranking.get(category)
        return self._single(ranking[0], ranking) if ranking else self.fallback

    def expert(self, category: str, *, cost_quality: float = 1.0) -> str:
        """Who answers a category; of a fuse plan the first of those who draft."""
        return self.plan(category, cost_quality=cost_quality).experts[0]

    def place(self, cost_quality: float) -> int:
        """The position on the frontier of a `cost_quality`; what is beyond 0 to 1 counts as the end."""
        costs = self._costs
        if cost_quality >= 1:
            return len(costs) - 1
        return max(0, bisect_right(costs, costs[0] + max(cost_quality, 0.0) * (costs[-1] - costs[0])) - 1)

    def columns_at(self, place: int) -> MappingOf[str, str]:
        """By category the chosen column (expert or fuse plan) of a position on the frontier."""
        return {category: column for step in self.frontier[: place + 1] for category, column in step.changes.items()}

    @cached_property
    def matrix(self) -> Matrix:
        """What was measured of every column in every category, the chosen one marked."""
        columns = (*self.experts, *self.fused)
        return Matrix(
            rows=self.categories, columns=columns, cells=self.cells, chosen=self.columns_at(len(self.frontier))
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, stored: MappingOf[str, Any]) -> Self:
        """The inverse of `as_dict`; raises ArtifactError for anything else."""
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, found['loc'])) or 'mapping'}: {found['msg']}" for found in error.errors()]
            raise ArtifactError("the learned mapping cannot be read: " + "; ".join(lines)) from error

    @cached_property
    def _costs(self) -> list[float]:
        return [step.cost for step in self.frontier]

    @cached_property
    def _history(self) -> dict[str, tuple[list[int], list[str]]]:
        """By category: the positions at which its plan changes, and its columns from there on."""
        history: dict[str, tuple[list[int], list[str]]] = {category: ([], []) for category in self.ranking}
        for place, step in enumerate(self.frontier):
            for category, column in step.changes.items():
                places, columns = history[category]
                places.append(place)
                columns.append(column)
        return history

    @cached_property
    def _plans(self) -> dict[str, dict[str, Plan]]:
        """By category, the plans of the columns that it goes through."""
        return {
            category: {column: self._plan(column, category) for column in columns}
            for category, (_, columns) in self._history.items()
        }

    def _plan(self, column: str, category: str) -> Plan:
        ranking = self.ranking[category]
        if column not in self.fused:
            return self._single(column, ranking)
        fused = self.fused[column]
        if fused.weights:  # in the order in which they were weighed: of equal votes the first wins
            return Plan(kind="fuse", experts=fused.members, weights=fused.weights[category])
        members = tuple(sorted(fused.members, key=ranking.index))
        return Plan(kind="fuse", experts=members, verdict=fused.verdict)

    def _single(self, expert: str, ranking: tuple[str, ...]) -> Plan:
        others = (other for other in ranking if other != expert)
        return Plan(kind="single", experts=(expert, *islice(others, self.fallbacks)))

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        known = {*self.experts, *self.fused}
        named = {column for step in self.frontier for column in step.changes.values()}
        ranked = {expert for ranking in (self.general_ranking, *self.ranking.values()) for expert in ranking}
        members = {member for fused in self.fused.values() for member in fused.members}
        unknown = sorted((named - known) | ((ranked | members | {self.best_single}) - set(self.experts)))
        if unknown:
            raise ValueError(f"unknown experts: {', '.join(unknown)}")
        if set(self.frontier[0].changes) != set(self.ranking) or set(self.cells) != set(self.ranking):
            raise ValueError("ranking, cells and the first mapping of the frontier differ in their categories")
        if any(set(step.changes) - set(self.ranking) for step in self.frontier):
            raise ValueError("the frontier has categories that are not ranked")
        if self.shares and set(self.shares) != set(self.ranking):
            raise ValueError("ranking and shares differ in their categories")
        if any(set(row) - known for row in self.cells.values()):
            raise ValueError("cells of unknown experts")
        for name, fused in self.fused.items():
            if any(len(weights) != len(fused.members) for weights in fused.weights.values()):
                raise ValueError(f"fuse plan {name}: not one weight a member")
            chosen = {category for step in self.frontier for category, column in step.changes.items() if column == name}
            if fused.weights and chosen - set(fused.weights):
                raise ValueError(f"fuse plan {name} is chosen where its votes have no weights")
        if self._costs != sorted(self._costs):
            raise ValueError("the costs of the frontier do not rise")
        return self
