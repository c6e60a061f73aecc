"""Folders that are whole or not there: written beside their place, flushed to the disk, and moved there in one step.

The manifest of one, written last, says how long each of its files is and what it hashes to, so what was damaged later
is noticed. What cannot be used is as good as none: all of it can be made again. Knows nothing of what is in them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

__all__ = ["Published", "keep_only", "published", "publishing", "write_whole"]

log = structlog.get_logger()

_FORMAT = 1
_MANIFEST = "manifest.json"
_WRITING = ".writing-"


@dataclass(frozen=True, slots=True)
class Published:
    """A folder that is whole. facts: what its writer noted. digest: of the manifest, and so of all of it."""

    folder: Path
    facts: Mapping[str, Any]
    digest: str


def published(folder: Path) -> Published | None:
    """What was published there, None where that is nothing or is damaged. Blocking: it reads every byte."""
    try:
        content = (folder / _MANIFEST).read_bytes()
        manifest = orjson.loads(content)
        if manifest["format"] != _FORMAT:
            return None
        for name, (size, digest) in manifest["files"].items():
            if (folder / name).stat().st_size != size or _sha256(folder / name) != digest:
                log.warning("corpus.damaged", path=str(folder / name))
                return None
        return Published(folder, manifest["facts"], hashlib.sha256(content).hexdigest())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("corpus.damaged", path=str(folder), error=str(error))
        return None


@contextmanager
def publishing(folder: Path, facts: dict[str, Any]) -> Iterator[Path]:
    """An empty folder to write into; at the end of the block it takes the place of `folder`. Blocking.

    facts: for the manifest, and may be added to inside the block. Only one process at a time may publish beside others
    in the same place, since it clears away what killed ones have left.

    Raises:
        OSError: the disk does not take it; nothing has changed then.

    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{_WRITING}*"):
        shutil.rmtree(left, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_WRITING))
    try:
        yield beside
        files = sorted(path for path in beside.rglob("*") if path.is_file())
        for path in files:
            _flush(path)
        noted = {path.relative_to(beside).as_posix(): (path.stat().st_size, _sha256(path)) for path in files}
        write_whole(beside / _MANIFEST, orjson.dumps({"format": _FORMAT, "facts": facts, "files": noted}))
        if folder.exists():  # damaged, or nobody would make it again
            shutil.rmtree(folder)
        beside.chmod(0o755)
        beside.rename(folder)
        _flush(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def keep_only(folder: Path) -> None:
    """Remove what was published beside a folder before it; who has it open goes on reading. Blocking."""
    for other in folder.parent.iterdir():
        if other != folder and (other / _MANIFEST).is_file():
            shutil.rmtree(other, ignore_errors=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or as it was before. Blocking; raises OSError."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """What was written there is on the disk afterwards; of a folder, the names in it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder, on Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
