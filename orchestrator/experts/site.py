"""What an expert finds around it: folders, the other experts, and what several experts share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from orchestrator.batching import TextEmbedder
    from orchestrator.experts.protocol import Expert
    from orchestrator.types import ChatRequest, Draft, Emit

__all__ = ["Site", "Wakefulness"]

T = TypeVar("T")


class Wakefulness(Protocol):
    """Keeps experts awake while they are asked."""

    def awake(self, expert: str, *, deadline: float, session: str | None = None) -> AbstractAsyncContextManager[float]:
        """A block in which an expert, or an adapter's base, is awake; gives the seconds that were waited for it.

        Raises:
            ExpertError: it is not awake by the deadline, on anyio's clock.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The surroundings of an expert, given to its constructor as `kind(id, settings, site)`.

    folder: where relative paths of the configuration start.
    cache: for what can be made again (converted weights, indexes), keyed by content hash.
    expert: another expert by id, to be looked up when it is needed, not while experts are being built. For its draft
        use `ask`.
    embedder: a text embedder by its name in the configuration; one instance a name in the process.
    residency: holds experts awake while they are asked; None where none ever sleeps.
    asked: makes the calls of `ask`, within what is set for the expert; set by who keeps the experts.
    """

    folder: Path
    cache: Path
    expert: Callable[[str], Expert]
    embedder: Callable[[str], TextEmbedder]
    residency: Wakefulness | None = None
    asked: Callable[[str, ChatRequest, Emit], Awaitable[Draft]] | None = None
    _shared: dict[Hashable, object] = field(default_factory=dict)

    def share(self, key: Hashable, make: Callable[[], T]) -> T:
        """The one object of that key in this process, made by the first who asks (a model, a server, a client)."""
        if key not in self._shared:
            self._shared[key] = make()
        return cast("T", self._shared[key])

    async def ask(self, expert: str, request: ChatRequest, emit: Emit) -> Draft:
        """Another expert's draft, through its breaker and its limits as for any caller.

        Raises:
            ExpertError: it did not answer, or was not asked.

        """
        if self.asked is None:
            return await self.expert(expert).draft(request, emit)
        return await self.asked(expert, request, emit)
