"""`prepare`: do once, ahead of time, what the first start would otherwise have to."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import anyio

from orchestrator.cli.options import ConfigFile, read_config
from orchestrator.config import Config
from orchestrator.config.kinds import LocalSettings, RetrieverSettings

__all__ = ["prepare"]


def prepare(config: ConfigFile = Path("experts.yaml")) -> None:
    """Verify packaged weights, make the embedder's graph, convert what `local` experts need, index corpora.

    Serving then starts fast. Needs no router and starts no expert.

    Example: orchestrator prepare experts.yaml
    """
    from orchestrator.engine import embedders_of
    from routers.weights import aliases, find

    settings = read_config(config)
    if settings.embedder in aliases("embedder"):
        print(f"{settings.embedder}: verified {find(settings.embedder)}")
    print(f"{settings.embedder}: making its graph if that has not been done", flush=True)
    embedders_of(settings).load(settings.embedder)
    _convert(settings)
    anyio.run(_index, settings)


def _convert(config: Config) -> None:
    from routers.weights import aliases

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
    """Make the vectors of every corpus, which the cache keeps; word indexes are made at each start."""
    retrievers = [block for block in config.experts.values() if isinstance(block, RetrieverSettings)]
    if not retrievers:
        return
    from orchestrator.engine import embedders_of, site_of
    from orchestrator.experts.retriever.shelf import WORDS, open_shelf

    wanted: dict[Path, set[str]] = {}
    for block in retrievers:
        wanted.setdefault(block.corpus, set()).update(set(block.embedders) - {WORDS})
    embedders = embedders_of(config)
    site = site_of(config, embedders, _nobody)
    async with embedders.background.open():
        for path, names in wanted.items():
            print(f"{path}: indexing if that has not been done", flush=True)
            shelf = await open_shelf(config.folder / path, site)
            for name in sorted(names):
                await shelf.prepare(name)
            print(f"{path}: {len(shelf.corpus.entries)} passages ({', '.join(sorted(names)) or 'words only'})")


def _nobody(expert_id: str) -> NoReturn:
    """A corpus is indexed without any expert."""
    raise LookupError(expert_id)
