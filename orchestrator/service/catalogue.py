"""The experts as people, dashboards and agents see them. Knows no HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import BaseModel

from orchestrator.experts import HedgeCounts, ReplicaSeen, State
from orchestrator.fleet.residency.seats import ResidencySeen

if TYPE_CHECKING:  # its import takes longer than agents should wait to be greeted
    from orchestrator.engine import Engine

__all__ = ["ExpertShown", "categories_of", "shown"]


class ExpertShown(BaseModel):
    """One expert for people and dashboards; holds no secret; the reason may name servers.

    base: the expert on whose servers it lives, None for one with servers of its own.
    replicas: its servers and how each of them is; empty where it has none of its own.
    hedges: how often it asked a second one because the first was slow; None where that is off.
    residency: whether it is awake, and its memory; None where it never sleeps.
    """

    id: str
    kind: str
    description: str
    state: State
    reason: str
    capabilities: dict[str, bool]
    categories: list[str]
    base: str | None = None
    replicas: list[ReplicaSeen] = []
    hedges: HedgeCounts | None = None
    residency: ResidencySeen | None = None


def shown(engine: Engine, expert: str) -> ExpertShown:
    """One of the experts now; raises KeyError where there is none of that id."""
    registry = engine.registry
    settings, condition = registry.settings(expert), registry.condition(expert)
    built = registry.built(expert)
    capabilities = built.capabilities if built else None
    return ExpertShown(
        id=expert,
        kind=settings.kind,
        description=settings.description,
        state=condition.state,
        reason=condition.reason,
        capabilities=asdict(capabilities) if capabilities else {},
        categories=categories_of(engine, expert),
        base=settings.shares(),
        replicas=registry.replicas(expert),
        hedges=registry.hedges(expert),
        residency=None if registry.residency is None else registry.residency.seen(expert),
    )


def categories_of(engine: Engine, expert: str) -> list[str]:
    """The categories whose experts it is among, in the order of the configuration."""
    return [name for name, block in engine.config.categories.items() if expert in block.experts]
