"""`prepare`: do once, ahead of time, what the first start would otherwise have to."""

from __future__ import annotations

from pathlib import Path

import anyio

from orchestrator.cli.options import ConfigFile, read_config
from orchestrator.config import Config
from orchestrator.config.kinds import LocalSettings
from routers.weights import aliases, find

__all__ = ["prepare"]


def prepare(config: ConfigFile = Path("experts.yaml")) -> None:
    """Do once what the first start would have to: verify and convert packaged weights, index the corpora.

    Example: orchestrator prepare experts.yaml
    """
    settings = read_config(config)
    if settings.embedder in aliases("embedder"):
        print(f"{settings.embedder}: verified {find(settings.embedder)}")
    _convert(settings)
    anyio.run(_index, settings)


def _convert(config: Config) -> None:
    local = [block for block in config.experts.values() if isinstance(block, LocalSettings)]
    packaged = {block.model for block in local} & set(aliases("language model"))
    if not packaged:
        return
    from orchestrator.engine import cache_folder
    from orchestrator.experts.local.weights import prepare as prepare_weights

    for model in sorted(packaged):
        print(f"{model}: converting if that has not been done (half a minute)", flush=True)
        print(f"{model}: {prepare_weights(model, cache_folder())}")


async def _index(config: Config) -> None:
    """Bring each retriever up once; what it indexed stays in the cache."""
    if not any(block.searches for block in config.experts.values()):
        return
    from orchestrator.embedders import Embedders
    from orchestrator.engine import experts_of

    async with experts_of(config, Embedders(config.folder)) as registry:
        for name in registry.searchers():
            print(f"{name}: indexing if that has not been done", flush=True)
            await registry.start(name)
            await registry.settled([name])
            condition = registry.condition(name)
            print(f"{name}: {condition.state} {condition.reason}".rstrip())
