"""What an expert finds around it: folders, the other experts, and what several experts share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from orchestrator.batching import TextEmbedder
    from orchestrator.experts.protocol import Expert

__all__ = ["Site"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The surroundings of an expert, given to its constructor as `kind(id, settings, site)`.

    folder: where relative paths of the configuration start.
    cache: for what can be made again (converted weights, indexes), keyed by content hash.
    expert: another expert by id, to be looked up when it is needed, not while experts are being built.
    embedder: a text embedder by its name in the configuration; one instance a name in the process.
    """

    folder: Path
    cache: Path
    expert: Callable[[str], Expert]
    embedder: Callable[[str], TextEmbedder]
    _shared: dict[Hashable, object] = field(default_factory=dict)

    def share(self, key: Hashable, make: Callable[[], T]) -> T:
        """The one object of that key in this process, made by the first who asks (a model, a server, a client)."""
        if key not in self._shared:
            self._shared[key] = make()
        return cast("T", self._shared[key])
