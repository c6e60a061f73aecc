"""The whole product without a surface: what `serve`, `ask`, `mcp` and `eval` all run.

Builds the parts from a configuration, keeps them alive for as long as a block runs, and takes them down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import platformdirs
from anyio import to_thread

from orchestrator.config import Config
from orchestrator.decision_log import DecisionLog
from orchestrator.embedders import Embedders
from orchestrator.experts import Expert, Site
from orchestrator.fleet.registry import Registry
from orchestrator.pipeline import Pipeline
from orchestrator.serving import Watch, load_serving
from orchestrator.stages.categorize import Categorizer
from orchestrator.stages.choose import Chooser
from orchestrator.stages.consensus import Agreement
from orchestrator.stages.draft import Drafting

__all__ = ["Engine", "cache_folder", "experts_of", "running", "site_of"]


def cache_folder() -> Path:
    """Where converted weights and indexes are kept between runs; all of it can be made again."""
    return platformdirs.user_cache_path("expert-orchestrator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The running product. watch: which artifact decides; None where the parts were put together by hand."""

    config: Config
    registry: Registry
    pipeline: Pipeline
    decisions: DecisionLog = field(default_factory=DecisionLog)
    watch: Watch | None = None

    def ready(self) -> tuple[bool, str]:
        """Whether queries can be answered: the router is there once the engine runs, and some expert must be up."""
        states = {expert: self.registry.condition(expert) for expert in self.registry}
        if any(condition.state == "up" for condition in states.values()):
            return True, ""
        return False, "; ".join(f"{expert}: {c.state} ({c.reason})" for expert, c in states.items())


def site_of(config: Config, embedders: Embedders, expert: Callable[[str], Expert]) -> Site:
    """What the experts of a configuration find around them."""
    return Site(folder=config.folder, cache=cache_folder(), expert=expert, embedder=embedders)


@asynccontextmanager
async def experts_of(config: Config, embedders: Embedders) -> AsyncIterator[Registry]:
    """The experts of a configuration, startable inside the block; no router is needed."""
    registry = Registry(config, site_of(config, embedders, lambda expert_id: registry[expert_id]))
    async with embedders.background.open(), registry.background.open():
        yield registry


@asynccontextmanager
async def running(config: Config, *, embedders: Embedders | None = None) -> AsyncIterator[Engine]:
    """The engine of a configuration, alive inside the block.

    embedders: those that training has loaded already, to be used again.

    Raises:
        ArtifactError: there is no router, or not one for this configuration.
        WeightsError: the embedder cannot be loaded.

    """
    embedders = embedders or Embedders(config.folder)
    embedder = await to_thread.run_sync(embedders.load, config.embedder)
    serving = await to_thread.run_sync(load_serving, config, embedder)
    categorizer = Categorizer(
        serving.router,
        deadline_s=config.routing.max_latency_ms / 1000,
        remembered=config.routing.cache,
        generation=serving.label,
    )
    async with experts_of(config, embedders) as registry, anyio.create_task_group() as group:
        group.start_soon(categorizer.serve)
        pipeline = Pipeline(
            categorizer=categorizer,
            chooser=Chooser(config, serving.plans, registry),
            drafting=Drafting(registry),
            agreement=Agreement(embedders(config.embedder)),
            fusion=config.fusion,
            budget=config.budget,
        )
        watch = Watch(config, embedder, serving, use=pipeline.use)
        group.start_soon(watch.serve)
        yield Engine(config=config, registry=registry, pipeline=pipeline, watch=watch)
        group.cancel_scope.cancel()
