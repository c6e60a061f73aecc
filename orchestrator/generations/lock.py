"""One at a time: a lock that a crash lets go of, since the operating system holds it for the process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from routers.errors import ArtifactError

if sys.platform != "win32":
    import fcntl

__all__ = ["locked"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file, locked for the block.

    Raises:
        ArtifactError: another process, or another block of this one, has it.

    """
    if sys.platform == "win32":
        raise ArtifactError("generations of artifacts are not kept on Windows; use 'orchestrator train'")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({error.strerror}); see 'routing.artifact'") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            by = f"process {holder}" if holder else "another process"
            raise ArtifactError(
                f"{by} is training, promoting or rolling back at {path.parent} now; wait for it to end"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
