"""Vectors that are kept on disk between runs."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from orchestrator.testing import WordEmbedder
from routers.embedding import Embedder, FloatArray
from routers.embedding.stored import AT_ONCE, StoredEmbedder
from routers.errors import WeightsError


@dataclass
class Watched:
    """Words, hashed; notes what it was asked, and fails on the call `fails_at`."""

    fingerprint: str = "watched"
    dim: int = 16
    fails_at: int = 0
    asked: list[list[str]] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.asked.append(list(texts))
        if len(self.asked) == self.fails_at:
            raise OSError(5, "the model's file is gone")
        return WordEmbedder(self.dim).embed([text.encode("utf-8", "replace").decode() for text in texts])


class Two(Watched):
    """One that can show two layers of its own."""

    def layered(self) -> Embedder:
        return Layers("watched:layers", 2 * self.dim)


class Layers(Watched):
    """Rows of two blocks."""

    views = 2


def kept(folder: Path) -> Path:
    (file,) = folder.glob("*.sqlite")
    return file


def test_vectors_are_those_of_the_embedder_bit_by_bit(tmp_path: Path) -> None:
    """Specified: from the embedder and from the store alike, repeats and their order kept."""
    texts = ["one two", "three", "one two", "", "lone \ud800 surrogate"]
    expected = Watched().embed(texts)
    for _ in range(2):
        found = StoredEmbedder(Watched(), tmp_path).embed(texts)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_what_was_embedded_in_an_earlier_run_is_not_embedded_again(tmp_path: Path) -> None:
    """Specified: by content, each text once."""
    StoredEmbedder(Watched(), tmp_path).embed(["a", "b", "a"])
    later = Watched()
    StoredEmbedder(later, tmp_path).embed(["b", "c", "a"])
    assert later.asked == [["c"]]


def test_other_weights_have_a_store_of_their_own(tmp_path: Path) -> None:
    """Specified: the fingerprint says when vectors would differ."""
    StoredEmbedder(Watched(), tmp_path).embed(["a"])
    other = Watched("other")
    StoredEmbedder(other, tmp_path).embed(["a"])
    assert other.asked == [["a"]]
    assert len(list(tmp_path.glob("*.sqlite"))) == 2


def test_nothing_to_embed_touches_nothing(tmp_path: Path) -> None:
    """Ours: no file, no call, and the shape that callers expect."""
    inner = Watched()
    assert StoredEmbedder(inner, tmp_path / "none").embed([]).shape == (0, 16)
    assert not inner.asked
    assert not (tmp_path / "none").exists()


def test_a_run_that_fails_keeps_what_it_had(tmp_path: Path) -> None:
    """Ours: and the embedder's error is its own, even one that a file could raise."""
    texts = [f"text {number}" for number in range(AT_ONCE + 1)]
    with pytest.raises(OSError, match="the model's file is gone"):
        StoredEmbedder(Watched(fails_at=2), tmp_path).embed(texts)
    later = Watched()
    StoredEmbedder(later, tmp_path).embed(texts)
    assert later.asked == [texts[-1:]]


def test_vectors_of_another_length_are_made_again(tmp_path: Path) -> None:
    """Ours: a damaged row is no vector."""
    StoredEmbedder(Watched(), tmp_path).embed(["a", "b"])
    with sqlite3.connect(kept(tmp_path)) as store:
        store.execute("UPDATE vectors SET vector = x'00' WHERE rowid = 1")
    store.close()
    later = Watched()
    np.testing.assert_array_equal(StoredEmbedder(later, tmp_path).embed(["a", "b"]), Watched().embed(["a", "b"]))
    assert later.asked == [["a"]]


@pytest.mark.parametrize("damage", ["a file that is no store", "a file where the folder should be"])
def test_a_store_that_cannot_be_used_is_an_error_with_its_place(tmp_path: Path, damage: str) -> None:
    """Specified: WeightsError says which file, and what to do."""
    folder = tmp_path / "vectors"
    StoredEmbedder(Watched(), folder).embed(["a"])
    file = kept(folder)
    if damage == "a file that is no store":
        file.write_bytes(b"not a database, but long enough to be looked at" * 100)
    else:
        file.unlink()
        folder.rmdir()
        folder.write_text("here")
    with pytest.raises(WeightsError, match="remove it") as caught:
        StoredEmbedder(Watched(), folder).embed(["a"])
    assert str(file) in str(caught.value)


def test_runs_may_share_a_store_at_the_same_time(tmp_path: Path) -> None:
    """Specified: several writers, and every vector right."""
    texts = [f"text {number}" for number in range(60)]

    def run(start: int) -> FloatArray:
        return StoredEmbedder(Watched(), tmp_path).embed(texts[start:] + texts[:start])

    with ThreadPoolExecutor(6) as threads:
        for start, found in zip(range(0, 60, 10), threads.map(run, range(0, 60, 10)), strict=True):
            np.testing.assert_array_equal(found, Watched().embed(texts[start:] + texts[:start]))
    again = Watched()
    StoredEmbedder(again, tmp_path).embed(texts)
    assert not again.asked


def test_texts_are_not_in_the_file(tmp_path: Path) -> None:
    """Specified: as hashes only."""
    StoredEmbedder(Watched(), tmp_path).embed(["my secret question"])
    assert b"secret" not in kept(tmp_path).read_bytes()


def test_progress_is_of_new_texts_alone(tmp_path: Path) -> None:
    """Ours: from 0 to all of them, and silence where the store has every one."""
    told: list[tuple[int, int]] = []
    embedder = StoredEmbedder(Watched(), tmp_path, progress=lambda done, total: told.append((done, total)))
    texts = [f"text {number}" for number in range(AT_ONCE + 4)]
    embedder.embed(texts)
    assert told == [(0, AT_ONCE + 4), (AT_ONCE, AT_ONCE + 4), (AT_ONCE + 4, AT_ONCE + 4)]
    embedder.embed(texts)
    assert len(told) == 3


def test_layers_are_kept_beside_the_vectors(tmp_path: Path) -> None:
    """Ours: an embedder that can show its layers still can; one that cannot stays as it is."""
    layers = StoredEmbedder(Two(), tmp_path).layered()
    assert isinstance(layers, StoredEmbedder)
    assert (layers.dim, layers.views, layers.fingerprint) == (32, 2, "watched:layers")
    assert layers.embed(["a"]).shape == (1, 32)
    plain = StoredEmbedder(Watched(), tmp_path)
    assert plain.layered() is plain
    assert plain.views == 1
