"""The block `panels`: which experts judge answers in which categories, and by which criteria."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.config.values import Identifier, Settings

__all__ = ["Panel", "panel_for", "panels_in_conflict"]

NotNegative = Annotated[float, Field(ge=0)]


class Panel(Settings):
    """Experts that judge answers together, each by every criterion."""

    judges: tuple[str, ...] = Field(min_length=1, description="ids of the experts that judge, each by every criterion")
    criteria: dict[Identifier, str] = Field(
        min_length=1, description="by name, what an answer is judged by, in a sentence that the judges read"
    )
    categories: tuple[str, ...] = Field(
        default=(), description="whose answers it judges; without any it judges those of all other categories"
    )
    by: Literal["scores", "pairs"] = Field(
        default="scores",
        description="what a judge is asked for: scores (1 to 5 of one answer) or pairs (which of two answers is "
        "better, asked in both orders)",
    )
    weights: dict[Identifier, NotNegative] = Field(
        default_factory=dict,
        description="what each criterion weighs, as `orchestrator eval judges` fits it; without them all weigh the "
        "same, and one that is not named weighs nothing",
    )

    @model_validator(mode="after")
    def _weights_are_of_criteria(self) -> Self:
        if unknown := [name for name in self.weights if name not in self.criteria]:
            message = f"weights: {', '.join(map(repr, unknown))} is no criterion of this panel"
            raise ValueError(message)
        if self.weights and not any(self.weights.values()):
            message = "weights: at least one criterion has to weigh more than 0"
            raise ValueError(message)
        return self

    @property
    def shares(self) -> dict[str, float]:
        """What each criterion weighs; they add up to 1."""
        given = {name: self.weights.get(name, 0.0) if self.weights else 1.0 for name in self.criteria}
        return {name: weight / sum(given.values()) for name, weight in given.items()}


def panel_for(panels: Mapping[str, Panel], category: str | None) -> str | None:
    """The name of the panel that judges a category: its own, else the one without categories; None for neither."""
    own = next((name for name, panel in panels.items() if category is not None and category in panel.categories), None)
    return own or next((name for name, panel in panels.items() if not panel.categories), None)


def panels_in_conflict(panels: Mapping[str, Panel]) -> str:
    """What two panels both claim, as a sentence; empty where each answer has one panel."""
    claimed: dict[str, str] = {}
    for name, panel in panels.items():
        for category in panel.categories or ("",):
            if (first := claimed.setdefault(category, name)) != name:
                what = f"category {category!r}" if category else "what no other panel does: give one of them categories"
                return f"panels {first!r} and {name!r} both judge {what}"
    return ""
