"""What moves an expert's servers between awake and asleep. The seam between residency and a kind of server."""

from __future__ import annotations

from typing import Literal, Protocol

import anyio
from anyio.abc import TaskStatus

__all__ = ["Control", "Seen"]

Seen = Literal["awake", "asleep", "mixed", "gone", "unsure"]
"""How servers were found: some one and some the other way is mixed; gone: nobody there, so that no memory is held;
unsure: they did not say."""


class Control(Protocol):
    """The servers of one expert together; `sleep` and `wake` raise ExpertUnavailable where it did not work."""

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Be in service until cancelled."""

    async def look(self) -> Seen:
        """How they are."""

    async def sleep(self, level: int) -> None:
        """Send them to sleep when they have answered what they were asked; level 1 keeps weights in host memory."""

    async def wake(self, level: int) -> None:
        """Wake them from that level, weights in place."""
