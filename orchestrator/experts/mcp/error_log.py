"""The file that takes what a server writes to stderr. Knows nothing of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import anyio
import structlog

__all__ = ["ErrorLog"]

log = structlog.get_logger()

_LOG_BYTES = 1_048_576  # size at which a running server's log starts anew
_TRIM_S = 0.25  # between two looks at that size: what a server can write meanwhile comes on top
_TAIL_BYTES = 4096  # how much of a log's end is read for its last line


class ErrorLog:
    """The file that takes a server's stderr: since its last start, and not more than a megabyte for long.

    Where it cannot be written, what the server says is lost, and nothing else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost = False

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """The file, empty. Opened for appending, so that `trim` may cut it while the server writes."""
        with self._file() as file:
            yield file

    def last_line(self) -> str:
        """The last line that has text; empty when there is none."""
        if self._lost:
            return ""  # a file that is there all the same is of an earlier start
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def trim(self) -> None:
        """Empty the file when it has grown too long."""
        with suppress(OSError):
            if self._path.stat().st_size > _LOG_BYTES:
                os.truncate(self._path, 0)

    async def keep_short(self) -> None:
        """Trim until cancelled."""
        while True:
            await anyio.sleep(_TRIM_S)
            self.trim()

    def _file(self) -> TextIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(b"")
            file = self._path.open("a")
        except OSError as error:
            if not self._lost:
                log.warning("mcp.no_error_log", path=str(self._path), error=str(error))
            self._lost = True
            return Path(os.devnull).open("w")
        self._lost = False
        return file
