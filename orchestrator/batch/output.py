"""The file of answers: a line each, written as they come, so that whoever comes back knows what is there already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from orchestrator.errors import RunError

__all__ = ["Answer", "Output", "opened"]

PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Statuses of requests that may do better another time."""
SYNC_EVERY = 64
"""Lines, at most, that a machine may lose which loses power; a process that is killed loses none that was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a line. status: 0 where there was no answer; error: why. body: as the service sent it."""

    custom_id: str
    status: int
    request_id: str = ""
    body: Any = None
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is an error."""
        return not 200 <= self.status < 300  # noqa: PLR2004 - HTTP's range of success

    def line(self) -> bytes:
        """As OpenAI's batches have it."""
        response = {"status_code": self.status, "request_id": self.request_id, "body": self.body}
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

    retry_failed: lines that failed, but may do better another time, are taken out first.

    Raises:
        RunError: it cannot be written, or holds something else.

    """
    try:
        kept = _kept(path, retry_failed=retry_failed) if path.exists() else {}
        with path.open("ab") as file:
            yield Output(file, kept)
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from error


def _kept(path: Path, *, retry_failed: bool) -> dict[str, int]:
    """What stands there and stays; the file is put right where it has to be."""
    raw = path.read_bytes()
    whole, _, torn = raw.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    read = [_read(line, path, number) for number, line in enumerate(lines, start=1)]
    stay = [at for at, (_, status) in enumerate(read) if not (retry_failed and (status in PASSING or not status))]
    if torn or len(stay) < len(read):
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(b"".join(lines[at] + b"\n" for at in stay))
        fresh.replace(path)
    return dict(read[at] for at in stay)


def _read(line: bytes, path: Path, number: int) -> tuple[str, int]:
    try:
        found: Mapping[str, Any] = orjson.loads(line)
        response = found["response"]
        return str(found["custom_id"]), int(response["status_code"]) if response else 0
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}:{number}: no answer of a batch; name another file for the answers") from error
