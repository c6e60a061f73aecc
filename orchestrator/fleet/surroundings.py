"""The experts of a configuration with what they find around them, startable inside a block. Knows no router."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import platformdirs

from orchestrator.config import Config
from orchestrator.config.memory import sleepers
from orchestrator.embedders import Embedders
from orchestrator.experts import Expert, Site
from orchestrator.fleet.registry import Registry

__all__ = ["cache_folder", "embedders_of", "experts_of", "site_of"]


def cache_folder() -> Path:
    """Where converted weights and indexes are kept between runs; all of it can be made again."""
    return platformdirs.user_cache_path("expert-orchestrator")


def embedders_of(config: Config) -> Embedders:
    """The embedders of a configuration, none loaded yet."""
    return Embedders(config.folder, engine=config.engine, cache=cache_folder() / "graphs")


def site_of(config: Config, embedders: Embedders, expert: Callable[[str], Expert]) -> Site:
    """What the experts of a configuration find around them."""
    return Site(folder=config.folder, cache=cache_folder(), expert=expert, embedder=embedders)


@asynccontextmanager
async def experts_of(config: Config, embedders: Embedders, *, observing: bool = False) -> AsyncIterator[Registry]:
    """The experts of a configuration, startable inside the block; no router is needed.

    observing: nobody is put to sleep or woken; experts that sleep are not to be asked then.
    """
    residency = None
    if sleepers(config.experts):
        from orchestrator.fleet.residency.live import residency_of  # noqa: PLC0415 - numpy, for those that need it

        residency = residency_of(config, observing=observing)
    site = replace(site_of(config, embedders, lambda expert_id: registry[expert_id]), residency=residency)
    registry = Registry(config, site, residency=residency)
    async with embedders.background.open(), registry.background.open():
        if residency is not None:
            registry.background.start(residency.serve, name="residency")
        yield registry
