"""The vectors of a corpus: taken from where they were made before, embedded where they are new, kept on disk.

Each text is known by its hash, so that a passage that stays is never embedded again, whatever happens around it. What
is made is written down as it is made (`journal`), and published when it is complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from anyio import to_thread

from orchestrator.batching import TextEmbedder
from orchestrator.experts.retriever.journal import Journal
from orchestrator.experts.retriever.passages import Hashes, Passages
from orchestrator.experts.retriever.published import keep_only, published, publishing
from routers.embedding import FloatArray

__all__ = ["Progress", "Vectors", "build_vectors", "embedder_folder", "open_vectors"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""

_SLICE = 8  # texts of one call while indexing: a query that needs the same embedder waits for no more than a few
_SORTED = 512  # missing texts are embedded in their order but for so many at once, which go by length: less padding
_COPIED = 8192
_SAME = 0.999  # cosine of two embeddings of one text by one model; batches and machines change the last digits only

_VECTORS, _HASHES = "vectors.npy", "hashes.npy"

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of a corpus' passages, row by row: float32 [n, dim], L2-normalised, memory-mapped.

    digest: of what was published. embedded: how many texts were embedded for it now; 0 where it was there.
    """

    rows: FloatArray
    digest: str
    embedded: int = 0


@dataclass(frozen=True, slots=True)
class _Made:
    """Vectors that are there already, by the hashes of their texts."""

    hashes: Hashes
    rows: FloatArray
    digest: str = ""


def embedder_folder(corpus: Path, name: str) -> Path:
    """Where the vectors that an embedder of that name made of a corpus are kept."""
    return corpus / f"vectors-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


async def open_vectors(passages: Passages, *, folder: Path, embedder: TextEmbedder) -> Vectors | None:
    """What was published for these passages, None where nothing was, or by another embedder of the same name."""
    made = await to_thread.run_sync(_opened, folder / passages.name)
    if made is None or len(made.rows) != len(passages) or not await _made_by(embedder, made, passages):
        return None
    return Vectors(made.rows, made.digest)


async def build_vectors(passages: Passages, *, folder: Path, embedder: TextEmbedder, progress: Progress) -> Vectors:
    """Make what is missing and publish all of it. For one process at a time.

    Raises:
        OSError: the disk does not take it. And whatever the embedder raises.

    """
    journal = await to_thread.run_sync(Journal, folder / "journal")
    try:
        before = [_Made(journal.kept, journal.vectors), *await to_thread.run_sync(_published_before, folder)]
        made = [one for one in before if len(one.hashes) and await _made_by(embedder, one, passages)]
        if not any(one.hashes is journal.kept for one in made):
            await to_thread.run_sync(journal.remove)
            journal = Journal(folder / "journal")
        fresh = await _embedded(passages, _missing(passages, made), embedder, journal=journal, progress=progress)
        whole = await to_thread.run_sync(_publish, passages, [*made, fresh], folder / passages.name)
        await to_thread.run_sync(journal.remove)
    finally:
        journal.close()
    return Vectors(whole.rows, whole.digest, embedded=len(fresh.hashes))


async def _embedded(
    passages: Passages, missing: Rows, embedder: TextEmbedder, *, journal: Journal, progress: Progress
) -> _Made:
    """The vectors of these rows' texts, written down as they come."""
    vectors: list[FloatArray] = []
    done, total = len(passages) - len(missing), len(passages)
    for some in _slices(missing, passages.lengths()):
        texts = [passages.searchable(int(row)) for row in some]
        new = np.ascontiguousarray(await embedder.embed(texts), dtype=np.float32)
        await to_thread.run_sync(journal.append, passages.hashes[some], new)
        vectors.append(new)
        done += len(some)
        progress("embedding", done, total)
    order = np.concatenate([*_slices(missing, passages.lengths())]) if vectors else missing
    return _Made(passages.hashes[order], np.concatenate(vectors) if vectors else np.zeros((0, 0), dtype=np.float32))


def _slices(missing: Rows, lengths: npt.NDArray[np.int64]) -> Iterator[Rows]:
    for start in range(0, len(missing), _SORTED):
        some = missing[start : start + _SORTED]
        some = some[np.argsort(lengths[some], kind="stable")]
        for first in range(0, len(some), _SLICE):
            yield some[first : first + _SLICE]


def _missing(passages: Passages, made: list[_Made]) -> Rows:
    """The first row of each text that has no vector yet, in their order."""
    _, first = np.unique(passages.hashes, return_index=True)
    rows = np.sort(first)
    for one in made:
        rows = rows[~np.isin(passages.hashes[rows], one.hashes)]
    return rows


def _publish(passages: Passages, made: list[_Made], folder: Path) -> _Made:
    """Put each passage's vector in its row."""
    dim = next(one.rows.shape[1] for one in made if len(one.hashes))
    with publishing(folder, {"dim": dim}) as beside:
        rows = np.lib.format.open_memmap(beside / _VECTORS, mode="w+", dtype=np.float32, shape=(len(passages), dim))
        for one in made:
            _copy(one, passages, rows)
        rows.flush()
        np.save(beside / _HASHES, passages.hashes)
    keep_only(folder)
    there = _opened(folder)
    if there is None:
        raise OSError(f"{folder} cannot be read again")
    return there


def _copy(one: _Made, passages: Passages, rows: FloatArray) -> None:
    order = np.argsort(one.hashes)
    known = one.hashes[order]
    for start in range(0, len(passages), _COPIED):
        wanted = passages.hashes[start : start + _COPIED]
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1) if len(known) else np.zeros(0, dtype=np.intp)
        found = np.flatnonzero(known[at] == wanted) if len(known) else at
        rows[start + found] = one.rows[order[at[found]]]


def _opened(folder: Path) -> _Made | None:
    whole = published(folder)
    if whole is None:
        return None
    return _Made(np.load(folder / _HASHES), np.load(folder / _VECTORS, mmap_mode="r"), whole.digest)


def _published_before(folder: Path) -> list[_Made]:
    if not folder.is_dir():
        return []
    return [made for one in sorted(folder.iterdir()) if one.is_dir() and (made := _opened(one)) is not None]


async def _made_by(embedder: TextEmbedder, made: _Made, passages: Passages) -> bool:
    """Whether vectors are those this embedder would make: a name does not tell when its weights change.

    The longest text that they share with the passages is embedded afresh: it also shows a change of the length at
    which texts are cut off. Vectors that share none are of no use.
    """
    shared = np.flatnonzero(np.isin(passages.hashes, made.hashes))
    if not len(shared):
        return False
    row = passages.longest(shared)
    there = made.rows[int(np.flatnonzero(made.hashes == passages.hashes[row])[0])]
    [fresh] = await embedder.embed([passages.searchable(row)])
    return there.shape == fresh.shape and float(there @ fresh) > _SAME
