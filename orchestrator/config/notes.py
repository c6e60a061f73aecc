"""Keys that are read and checked but have no effect in this version yet. Shorten the table as they come to life."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.config.problems import Path, Problem
from orchestrator.config.settings import Config
from orchestrator.config.tree import Block, Found, entries, locate

__all__ = ["NOT_YET", "NotYet", "notes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """One such key: `*` in its path is any key. Its value is any but null, false and empty."""

    path: tuple[str, ...]
    message: str


NOT_YET: tuple[NotYet, ...] = ()


def notes(config: Config, root: Block) -> Iterator[Problem]:
    """A note for each such key that the file sets."""
    for entry in NOT_YET:
        for found in _matches(root, entry.path):
            if _value(config, found.path):
                yield Problem(found.key or found.node.mark, found.path, entry.message)


def _matches(root: Block, pattern: tuple[str, ...]) -> Iterator[Found]:
    paths: list[tuple[str, ...]] = [()]
    for segment in pattern:
        paths = [(*path, key) for path in paths for key in entries(root, *path) if segment in {"*", key}]
    return (locate(root, path) for path in paths)


def _value(config: Config, path: Path) -> Any:
    value: Any = config
    for key in path:
        value = value[key] if isinstance(value, dict) else getattr(value, str(key))
    return value
