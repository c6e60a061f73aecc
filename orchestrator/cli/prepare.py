"""`prepare`: do once, ahead of time, what the first start would otherwise have to."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.options import ConfigFile, read_config

__all__ = ["prepare"]


def prepare(config: ConfigFile = Path("experts.yaml")) -> None:
    """Verify packaged weights and convert those that `local` experts need, so that serving starts fast.

    Example: orchestrator prepare experts.yaml
    """
    settings = read_config(config)
    models = {getattr(block, "model", None) for block in settings.experts.values() if block.kind == "local"}
    if not models:
        print("nothing to prepare")
        return
    from orchestrator.engine import cache_folder
    from orchestrator.experts.local.weights import prepare as prepare_weights

    for model in sorted(filter(None, models)):
        print(f"{model}: {prepare_weights(model, cache_folder())}")
