"""Which files a corpus is made of, and whether they are the ones that were indexed. Reads them only to hash them."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from orchestrator.experts.retriever.files import is_of_records, is_readable
from orchestrator.experts.retriever.published import write_whole

__all__ = ["Skipped", "Source", "Sources", "is_pattern", "look"]

_RACY_S = 2.0
"""A file that was changed so shortly before the look may be changed again without looking different."""

Look = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not served, and why. line: where in it, from 1."""

    name: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.name if self.line is None else f"{self.name}:{self.line}"
        return f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Source:
    """One file. name: as citations have it. plain_ids: its records are known by their ids alone."""

    name: str
    path: Path
    sha256: str
    plain_ids: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a corpus at one moment, in their order. digest: changes when what they hold would."""

    files: tuple[Source, ...]
    skipped: tuple[Skipped, ...]

    @property
    def digest(self) -> str:
        """Hex; names count, since citations have them."""
        held = [[file.name, file.sha256] for file in self.files]
        left = [[skipped.name, skipped.reason] for skipped in self.skipped]
        return hashlib.sha256(orjson.dumps([held, left])).hexdigest()


def is_pattern(named: Path) -> bool:
    """Whether a path of the configuration stands for all that match it."""
    return glob.has_magic(str(named))


def look(named: Sequence[Path], folder: Path, *, most_bytes: int, memory: Path) -> Sources:
    """The files that the paths, folders and patterns of a configuration name. Blocking.

    folder: where relative paths start. most_bytes: larger files are left out. memory: a file that remembers the hashes
    of files by their times and sizes, so that those that did not change are not read.
    """
    remembered = _remembered(memory)
    seen: dict[str, tuple[Look, str]] = {}
    files: list[Source] = []
    skipped: list[Skipped] = []
    found = list(dict.fromkeys(path for one in named for path in _files(one, folder)))
    names = _names(found, folder)
    alone = len(named) == 1 and len(found) == 1 and is_of_records(found[0]) and found[0] == folder / named[0]
    for path, name in zip(found, names, strict=True):
        try:
            reason = _objection(path, most_bytes)
            if reason is not None:
                skipped.append(Skipped(name, reason))
                continue
            sha256 = _hashed(path, remembered, seen)
        except OSError as error:
            skipped.append(Skipped(name, error.strerror or str(error)))
            continue
        files.append(Source(name, path, sha256, plain_ids=alone))
    if seen != remembered:
        _remember(memory, seen)
    return Sources(tuple(files), tuple(skipped))


def _files(named: Path, folder: Path) -> Iterator[Path]:
    path = folder / named
    if is_pattern(named) and not path.exists():
        for match in sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute patterns
            yield from _inside(Path(match)) if Path(match).is_dir() else (Path(match),)
    elif path.is_dir():
        yield from _inside(path)
    else:
        yield path


def _inside(folder: Path) -> Iterator[Path]:
    """The files of a folder that there are readers for, hidden ones left out."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and is_readable(Path(name)):
                yield Path(at) / name


def _names(paths: Sequence[Path], folder: Path) -> list[str]:
    """As citations have them: from the configuration's folder, and from their own for files that lie elsewhere."""
    here = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would follow links, which the names do not show
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - as above
    near = [path.relative_to(here) if path.is_relative_to(here) else Path(*path.parts[-2:]) for path in whole]
    often = Counter(near)
    return [(path if often[short] > 1 else short).as_posix() for path, short in zip(whole, near, strict=True)]


def _objection(path: Path, most_bytes: int) -> str | None:
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        return "not a file"
    if about.st_size > most_bytes:
        return f"{about.st_size / 1e6:,.0f} MB, more than the {most_bytes / 1e6:,.0f} MB of max_file_mb"
    return None


def _hashed(path: Path, remembered: dict[str, tuple[Look, str]], seen: dict[str, tuple[Look, str]]) -> str:
    about, now = path.stat(), time.time()
    as_seen: Look = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
    before = remembered.get(str(path))
    if before is not None and before[0] == as_seen:
        seen[str(path)] = before
        return before[1]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if max(about.st_mtime, about.st_ctime) < now - _RACY_S:
        seen[str(path)] = (as_seen, digest)
    return digest


def _remembered(memory: Path) -> dict[str, tuple[Look, str]]:
    try:
        noted = orjson.loads(memory.read_bytes())
        return {
            path: ((size, mtime, ctime, inode), str(sha)) for path, ((size, mtime, ctime, inode), sha) in noted.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(memory: Path, seen: dict[str, tuple[Look, str]]) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memory, orjson.dumps(seen))
    except OSError:
        return  # the files are hashed again the next time
