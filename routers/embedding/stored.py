"""An embedder that remembers on disk: what was embedded in an earlier run costs one read."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from routers.embedding.layered import layered, views_of
from routers.embedding.pieces import Pieces, pieces_of
from routers.embedding.protocol import Embedder, FloatArray
from routers.errors import WeightsError

__all__ = ["StoredEmbedder"]

WAIT_S = 30.0
"""How long a run waits for another one that writes into the same store."""

AT_ONCE = 256
"""How many texts are embedded, and kept, at a time: what an interrupted run loses at most."""

KEYS_AT_ONCE = 500
"""How many rows are asked for in one statement; the library's own limit is higher."""

VALUE_BYTES = 4


class StoredEmbedder:
    """Keeps every vector of `inner` in a file of `folder`, by the content of the text.

    One file a fingerprint, so vectors of other weights or another truncation are never mixed in. Several processes
    may share a store, and one that is killed leaves what it had kept. Texts are stored as hashes only.
    progress: called as (done, total) while new texts are embedded.

    Raises:
        WeightsError: on use, when the folder cannot be written or holds something else.
    """

    def __init__(self, inner: Embedder, folder: Path, *, progress: Callable[[int, int], None] | None = None) -> None:
        self.dim = inner.dim
        self.fingerprint = inner.fingerprint
        self.views = views_of(inner)
        self._inner = inner
        self._folder = folder
        self._progress = progress
        self._path = folder / f"{hashlib.sha256(inner.fingerprint.encode()).hexdigest()[:16]}.sqlite"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised; only texts that the store does not hold are embedded."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        by_key = {_key(text): text for text in texts}
        with self._opened() as store:
            found = self._read(store, list(by_key))
            missing = [key for key in by_key if key not in found]
            for start in range(0, len(missing), AT_ONCE):
                self._tell(start, len(missing))
                found.update(self._embed(store, {key: by_key[key] for key in missing[start : start + AT_ONCE]}))
            self._tell(len(missing), len(missing))
        return np.stack([found[_key(text)] for text in texts])

    def layered(self) -> Embedder:
        """The layers of the inner embedder, kept in the same folder."""
        inner = layered(self._inner)
        return self if inner is self._inner else StoredEmbedder(inner, self._folder, progress=self._progress)

    def pieces(self) -> Pieces | None:
        """Those of the inner embedder."""
        return pieces_of(self._inner)

    def _embed(self, store: sqlite3.Connection, by_key: dict[bytes, str]) -> dict[bytes, FloatArray]:
        vectors = self._inner.embed(list(by_key.values()))
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in zip(by_key, vectors, strict=True)]
        with store:
            store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        return dict(zip(by_key, vectors, strict=True))

    def _read(self, store: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        found: dict[bytes, FloatArray] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            for key, vector in store.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some):  # noqa: S608 - question marks only
                if len(vector) == VALUE_BYTES * self.dim:
                    found[key] = np.frombuffer(vector, dtype="<f4").astype(np.float32)
        return found

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:  # what `inner` raises inside the block is its own: it has nothing of SQLite's
            self._made_folder()
            store = sqlite3.connect(self._path, timeout=WAIT_S)
            try:
                store.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")
                yield store
            finally:
                store.close()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _made_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> WeightsError:
        return WeightsError(f"embeddings cannot be kept in {self._path} ({error}); remove it or choose another")

    def _tell(self, done: int, total: int) -> None:
        if self._progress is not None and total:
            self._progress(done, total)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
