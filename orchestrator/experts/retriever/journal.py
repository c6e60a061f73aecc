"""Vectors that have been made so far, one after the other in a file: what a killed build does not have to make again.

A record is the hash of a text, a checksum and the vector. Whatever a crash left behind the last whole record is cut
off. Knows neither texts nor embedders.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from orchestrator.experts.retriever.passages import Hashes
from routers.embedding import FloatArray

__all__ = ["Journal"]

_HASH = 16
_SYNC_EVERY = 64  # appends: a power cut costs that many, a killed process none


class Journal:
    """One file, for one process at a time. Blocking.

    kept, vectors: hashes and vectors of the records that were there when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._since_sync = 0
        self.kept: Hashes = np.zeros(0, dtype="S16")
        self.vectors: FloatArray = np.zeros((0, 0), dtype=np.float32)
        self._recover()

    def append(self, hashes: Hashes, vectors: FloatArray) -> None:
        """Write some more down. Raises OSError."""
        if self._file is None:
            self._file = self._opened(vectors.shape[1])
        records = np.zeros(len(vectors), dtype=_layout(vectors.shape[1]))
        records["hash"], records["vector"] = hashes, vectors
        records["check"] = [zlib.crc32(_checked(record)) for record in records]
        self._file.write(records.tobytes())
        self._file.flush()
        self._since_sync += 1
        if self._since_sync >= _SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._since_sync = 0

    def close(self) -> None:
        """Let go of the file; what is in it stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """What is in it has been published."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _recover(self) -> None:
        try:
            size = self._path.stat().st_size
            head = np.fromfile(self._path, dtype="<u4", count=1)
        except OSError:
            return
        if not len(head) or not 0 < head[0] < 1 << 16:
            return
        layout = _layout(int(head[0]))
        count = (size - 4) // layout.itemsize
        if count:
            records = np.memmap(self._path, dtype=layout, mode="r", offset=4, shape=(count,))
            whole = _whole(records)
            self.kept, self.vectors = np.array(records["hash"][:whole]), records["vector"][:whole]

    def _opened(self, dim: int) -> IO[bytes]:
        """The file, cut after the last whole record; begun anew where its vectors are of another length."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if len(self.kept) and self.vectors.shape[1] == dim:
            os.truncate(self._path, 4 + len(self.kept) * _layout(dim).itemsize)
            return self._path.open("ab")
        self._path.unlink(missing_ok=True)  # what is mapped of it stays readable
        file = self._path.open("wb")
        file.write(np.array([dim], dtype="<u4").tobytes())
        return file


def _layout(dim: int) -> np.dtype[np.void]:
    return np.dtype([("hash", f"S{_HASH}"), ("check", "<u4"), ("vector", "<f4", (dim,))])


def _whole(records: npt.NDArray[np.void]) -> int:
    """How many there are before the first that is not as it was written."""
    for at, record in enumerate(records):
        if zlib.crc32(_checked(record)) != record["check"]:
            return at
    return len(records)


def _checked(record: np.void) -> bytes:
    written: bytes = record.tobytes()
    return written[:_HASH] + written[_HASH + 4 :]
