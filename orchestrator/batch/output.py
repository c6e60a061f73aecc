"""The file of answers: a line each, written as they come, so that whoever comes back knows what is there already."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from orchestrator.errors import RunError

if sys.platform != "win32":
    import fcntl

__all__ = ["Answer", "Output", "opened"]

PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Statuses of requests that may do better another time."""
BEGINNING = b'{"id":"batch_req_'
"""Of every line."""
SYNC_EVERY = 64
"""Lines, at most, that a machine may lose which loses power; a process that is killed loses none that was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a line. status: 0 where there was no answer; error: why. body: JSON, as the service sent it."""

    custom_id: str
    status: int
    request_id: str = ""
    body: bytes = b"null"
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is an error."""
        return not 200 <= self.status < 300  # noqa: PLR2004 - HTTP's range of success

    def line(self) -> bytes:
        """As OpenAI's batches have it."""
        # A line's end in JSON is a blank between tokens; here it would end the line.
        body = orjson.Fragment(self.body.replace(b"\r", b" ").replace(b"\n", b" "))
        response = {"status_code": self.status, "request_id": self.request_id, "body": body}
        told = {
            "id": f"batch_req_{self.custom_id}",
            "custom_id": self.custom_id,
            "response": response if self.status else None,
            "error": {"code": "no_answer", "message": self.error} if self.error else None,
        }
        return orjson.dumps(told) + b"\n"


class Output:
    """An open file of answers. done: by custom_id the status of those that are in it."""

    def __init__(self, file: BinaryIO, done: dict[str, int]) -> None:
        self.done = done
        self._file = file
        self._unsynced = 0

    def add(self, answer: Answer) -> None:
        """Append a line; it is there for other processes at once."""
        self._file.write(answer.line())
        self._file.flush()
        self.done[answer.custom_id] = answer.status
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._unsynced = 0


@contextmanager
def opened(path: Path, *, retry_failed: bool = False) -> Iterator[Output]:
    """The file to go on with, made where there is none; a line that was not written whole is cut off.

    It is locked for the block; a file that holds something else is left as it is.

    retry_failed: lines that failed, but may do better another time, are taken out first.

    Raises:
        RunError: it cannot be written, holds something else, or another run has it.

    """
    try:
        with _locked(path.with_name(path.name + ".lock"), path):
            kept = _kept(path, retry_failed=retry_failed) if path.exists() else {}
            with path.open("ab") as file:
                yield Output(file, kept)
                os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from error


@contextmanager
def _locked(lock: Path, path: Path) -> Iterator[None]:
    """One run at a time; beside the file, which is replaced. The system lets go of it where a process is killed."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _alone(descriptor, lock):
            raise RunError(f"{path}: another run is writing it; wait for it to end, or stop it")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _alone(descriptor: int, lock: Path) -> bool:
    """Whether this process has the lock now, and it is still the one that others would find."""
    if sys.platform == "win32":  # nothing there keeps two runs apart
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _kept(path: Path, *, retry_failed: bool) -> dict[str, int]:
    """What stands there and stays; the file is put right where it has to be."""
    raw = path.read_bytes()
    whole, _, torn = raw.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    read = [_read(line, path, number) for number, line in enumerate(lines, start=1)]
    if torn and not _ours(torn):
        raise RunError(f"{path}:{len(lines) + 1}: no answer of a batch; name another file for the answers")
    stay = [at for at, (_, status) in enumerate(read) if not (retry_failed and (status in PASSING or not status))]
    if torn or len(stay) < len(read):
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as file:
            file.write(b"".join(lines[at] + b"\n" for at in stay))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    return dict(read[at] for at in stay)


def _ours(torn: bytes) -> bool:
    """Whether these may be the first bytes of an answer, or what a loss of power leaves of one."""
    return torn.startswith(BEGINNING) or BEGINNING.startswith(torn) or not torn.strip(b"\0")


def _read(line: bytes, path: Path, number: int) -> tuple[str, int]:
    try:
        found: Mapping[str, Any] = orjson.loads(line)
        response = found["response"]
        return str(found["custom_id"]), int(response["status_code"]) if response else 0
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}:{number}: no answer of a batch; name another file for the answers") from error
