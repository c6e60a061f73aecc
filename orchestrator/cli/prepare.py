"""`prepare`: do once, ahead of time, what the first start would otherwise have to."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import anyio

from orchestrator.cli.options import ConfigFile, read_config
from orchestrator.cli.progress import progress_bars
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
    """Read every corpus and make its indexes, which the cache keeps; a build that was stopped goes on where it was."""
    retrievers = [block for block in config.experts.values() if isinstance(block, RetrieverSettings)]
    if not retrievers:
        return
    from orchestrator.engine import embedders_of, site_of
    from orchestrator.experts.retriever.shelf import Plan, open_shelf

    embedders = embedders_of(config)
    site = site_of(config, embedders, _nobody)
    told: set[str] = set()
    async with embedders.background.open():
        for block in retrievers:
            plan = Plan.of(block, config.folder)
            with progress_bars() as progress:
                shelf = await open_shelf(plan, site, progress=progress)
                for name in block.embedders:
                    await shelf.prepare(name, approximate_above=block.approximate_above, progress=progress)
            about = [f"{len(shelf.passages)} passages of {shelf.passages.documents} documents"]
            about += [f"{name}: {count} embedded now" for name, count in shelf.embedded.items()]
            lines = [f"{plan.title}: {'; '.join(about)}", *(f"left out: {one}" for one in shelf.passages.skipped)]
            print("\n".join(line for line in lines if line not in told), flush=True)
            told.update(lines)


def _nobody(expert_id: str) -> NoReturn:
    """A corpus is indexed without any expert."""
    raise LookupError(expert_id)
