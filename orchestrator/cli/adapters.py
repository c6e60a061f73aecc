"""What `mapping` says of adapters: which base holds which, whether all fit, and where their base would do better."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.config import Config
    from routers.mapping.learned import LearnedMapping

__all__ = ["adapters_dict", "adapters_lines"]


def adapters_lines(config: Config, learned: LearnedMapping) -> list[str]:
    """For people; none without adapters."""
    from orchestrator.interference import expected_warnings
    from orchestrator.shared_bases import shared_bases

    lines = [shared.line() for shared in shared_bases(config, learned)]
    return [*lines, *(f"warning: {warning}" for warning in expected_warnings(learned, _bases(config)))]


def adapters_dict(config: Config, learned: LearnedMapping) -> dict[str, object]:
    """As JSON."""
    from orchestrator.interference import expected_warnings
    from orchestrator.shared_bases import shared_bases

    return {
        "shared_bases": [asdict(shared) for shared in shared_bases(config, learned)],
        "warnings": expected_warnings(learned, _bases(config)),
    }


def _bases(config: Config) -> dict[str, str]:
    shared = {expert: settings.shares() for expert, settings in config.experts.items()}
    return {expert: base for expert, base in shared.items() if base is not None}
