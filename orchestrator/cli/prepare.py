"""`prepare`: do once, ahead of time, what the first start would otherwise have to."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.options import ConfigFile, read_config
from orchestrator.config.kinds import LocalSettings

__all__ = ["prepare"]


def prepare(config: ConfigFile = Path("experts.yaml")) -> None:
    """Verify packaged weights and convert those that `local` experts need, so that serving starts fast.

    Example: orchestrator prepare experts.yaml
    """
    from routers.weights import aliases, find

    settings = read_config(config)
    if settings.embedder in aliases("embedder"):
        print(f"{settings.embedder}: verified {find(settings.embedder)}")
    local = [block for block in settings.experts.values() if isinstance(block, LocalSettings)]
    packaged = {block.model for block in local} & set(aliases("language model"))
    if not packaged:
        return
    from orchestrator.engine import cache_folder
    from orchestrator.experts.local.weights import prepare as prepare_weights

    for model in sorted(packaged):
        print(f"{model}: converting if that has not been done (half a minute)", flush=True)
        print(f"{model}: {prepare_weights(model, cache_folder())}")
