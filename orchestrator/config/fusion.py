"""The block `fusion`: who drafts and how drafts become one answer, for all categories or for one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from orchestrator.config.values import PositiveInt, Settings

__all__ = ["Fusion", "Rule"]


class Rule(Settings):
    """How drafts become one answer. The decision on a request records the one that was used."""

    keep: PositiveInt | None = Field(
        default=None, description="drafts in the consensus; default: three fifths, rounded up"
    )
    consensus: Literal["embedding", "likelihood"] = Field(
        default="embedding",
        description="how agreement between drafts is measured: embedding (cosine of the texts), or likelihood (how "
        "likely those of the drafting experts that can score find each other's answers)",
    )


class Fusion(Rule):
    """How drafts become one answer when a plan is `fuse` or a client asks for the model `fuse`."""

    verdict: str | None = Field(
        default=None, description="the expert that writes the verdict; default: the category's first"
    )
    experts: tuple[str, ...] = Field(
        default=(), description="experts that draft beside the category's own, in this order, up to max_drafts"
    )
    max_drafts: int = Field(default=5, ge=2, le=16, description="most drafts of one query")

    @property
    def rule(self) -> Rule:
        """The part that says how, without who."""
        return Rule(**{key: getattr(self, key) for key in Rule.model_fields})

    def set_keys(self) -> dict[str, Any]:
        """The keys that were given, with their values."""
        return {key: getattr(self, key) for key in self.model_fields_set}
