"""Where a corpus is kept on disk, and what becomes of it where the disk does not take it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import structlog

from orchestrator.experts.retriever.lock import locked

__all__ = ["Place"]

log = structlog.get_logger()

T = TypeVar("T")


class Place:
    """A folder that is written by one process at a time; a temporary one once the disk has refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept = True

    async def built(self, build: Callable[[Path], Awaitable[T]]) -> T:
        """What `build` makes in the folder, with nobody else building there.

        A disk that is full or read-only costs the next start, not this one: it is then made in a temporary folder.
        """
        try:
            async with locked(self.folder / "lock"):
                return await build(self.folder)
        except OSError as error:
            if not self._kept:
                raise
            log.warning("corpus.not_kept", path=str(self.folder), error=str(error))
        self._kept = False
        self.folder = Path(tempfile.mkdtemp(prefix="corpus-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        async with locked(self.folder / "lock"):
            return await build(self.folder)
