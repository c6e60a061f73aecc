"""An append-only file of lines that survives what kills its writer. Blocking; knows nothing of what the lines say."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import RunError

__all__ = ["Appended", "Journal"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
PRIVATE = 0o600
"""Only the service's own user reads it: it may hold what people asked."""


@dataclass(frozen=True, slots=True)
class Appended:
    """How it went: so many whole lines are in the file; `error` says why the others are not."""

    lines: int
    error: OSError | None = None


class Journal:
    """Lines go out in one write each time, to the end of the file, whatever else writes there.

    Opened anew each time, so a file that was moved away is begun anew. Where the last line was cut, the next ones start
    on a line of their own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make the folder and the file; a full disk is no reason not to start.

        Raises:
            RunError: the file cannot be written.

        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(self._opened())
        except OSError as error:
            if error.errno not in FULL:
                raise RunError(f"usage.file: {self.path} cannot be written ({error.strerror})") from error

    def append(self, lines: Sequence[bytes]) -> Appended:
        """Write the lines, which hold no line's end of their own; never raises for what the disk does."""
        written = bytearray()
        try:
            file = self._opened()
            try:
                cut = b"\n" if _is_cut(file) else b""
                pending = memoryview(cut + b"".join(line + b"\n" for line in lines))
                while pending:
                    count = os.write(file, pending)
                    written += pending[:count]
                    pending = pending[count:]
            finally:
                os.close(file)
        except OSError as error:
            return Appended(bytes(written).lstrip(b"\n").count(b"\n"), error)
        return Appended(len(lines))

    def _opened(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)


def _is_cut(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
