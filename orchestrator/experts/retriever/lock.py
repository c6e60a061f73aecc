"""One builder of a folder at a time, over all processes; a crash lets go, since the operating system holds the lock."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import structlog

if sys.platform != "win32":
    import fcntl

__all__ = ["locked"]

log = structlog.get_logger()

_LOOK_S = 0.2


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """A block that nobody else is in who locks the same file; waits for its turn.

    Raises:
        OSError: the file cannot be written.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        await _taken(descriptor, path)
        yield
    finally:
        os.close(descriptor)


async def _taken(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":  # two builders there write beside each other; the last one stays
        return
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                log.info("corpus.waits", lock=str(path), reason="another process is indexing the same corpus")
            told = True
        else:
            return
        await anyio.sleep(_LOOK_S)
