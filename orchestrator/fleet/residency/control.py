"""What moves an expert's servers between awake and asleep. The seam between residency and a kind of server."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

__all__ = ["Control", "Seen"]

Seen = Literal["awake", "asleep", "mixed", "gone", "unsure"]
"""How servers were found: some one and some the other way is mixed; gone: nobody there, so that no memory is held;
unsure: they did not say."""


class Control(Protocol):
    """The servers of one expert together; `sleep` and `wake` raise ExpertUnavailable where it did not work."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """The block in which it is in service."""

    async def look(self) -> Seen:
        """How they are."""

    async def sleep(self, level: int) -> None:
        """Send them to sleep when they have answered what they were asked; level 1 keeps weights in host memory."""

    async def wake(self, level: int) -> None:
        """Wake them from that level, weights in place."""
