"""Embedders: the packaged one, one from a folder, and names that lead nowhere."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from routers.embedding import Embedder, FloatArray
from routers.embedding.cached import CachedEmbedder
from routers.embedding.load import load_embedder
from routers.errors import WeightsError
from routers.weights import PACKAGED, find

TEXTS = ["reset my password", "", "how do I reset a password", "which flowers grow in the shade"]


def copied(model: Path, target: Path) -> Path:
    """A copy whose small files can be written to; the weights are a link, since they are large."""

    def copy(source: str, to: str) -> str:
        if source.endswith(".safetensors"):
            Path(to).symlink_to(source)
            return to
        return shutil.copyfile(source, to)

    return Path(shutil.copytree(model, target, copy_function=copy))


@pytest.fixture(scope="session")
def folder_with_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `model` is a copy of the packaged model."""
    folder = tmp_path_factory.mktemp("models")
    copied(find("minilm"), folder / "model")
    return folder


@pytest.fixture(scope="session")
def from_folder(folder_with_model: Path) -> Embedder:
    """That model, by a path relative to the configuration."""
    return load_embedder("model", folder=folder_with_model)


def test_rows_are_normalised_float32(minilm: Embedder) -> None:
    """One row a text, an empty text included."""
    vectors = minilm.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, minilm.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_related_texts_are_nearer(minilm: Embedder) -> None:
    """These are the weights they say they are, not noise."""
    near, far = minilm.embed([TEXTS[0], TEXTS[2]]), minilm.embed([TEXTS[0], TEXTS[3]])
    assert near[0] @ near[1] > 0.8
    assert far[0] @ far[1] < 0.3


def test_no_texts_are_no_rows(minilm: Embedder) -> None:
    """An empty list keeps its second dimension."""
    assert minilm.embed([]).shape == (0, 384)


def test_fingerprint_names_weights_and_length(minilm: Embedder) -> None:
    """What the vectors depend on, and nothing else."""
    assert minilm.fingerprint == f"minilm:{PACKAGED['minilm'].sha256[:16]}:256"


def test_text_beyond_the_limit_does_not_count(minilm: Embedder) -> None:
    """256 tokens are read: more words after them change nothing, be they a megabyte."""
    start = "word " * 254
    long, longer = minilm.embed([start, start + "and something else entirely " * 40_000])
    np.testing.assert_allclose(long, longer, atol=1e-6)


def test_lone_surrogates_are_embedded_as_unknown_characters(minilm: Embedder) -> None:
    """A command line may hold bytes that are no text; the tokenizer alone would refuse them."""
    assert np.isfinite(minilm.embed(["caf\udce9 near me"])).all()


def test_threads_may_share_one_embedder(minilm: Embedder) -> None:
    """A router and a retriever use the same instance from their own threads."""
    expected = {n: minilm.embed(TEXTS[:n]) for n in (1, 2, 4)}
    wrong: list[int] = []

    def work(n: int) -> None:
        wrong.extend(n for _ in range(5) if not np.allclose(minilm.embed(TEXTS[:n]), expected[n], atol=1e-5))

    threads = [threading.Thread(target=work, args=(n,)) for n in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_a_path_works_as_an_alias_does(minilm: Embedder, from_folder: Embedder) -> None:
    """The same weights in a folder give the same vectors, under a fingerprint of their content."""
    np.testing.assert_array_equal(from_folder.embed(TEXTS), minilm.embed(TEXTS))
    assert from_folder.fingerprint.startswith("sha256:")
    assert from_folder.fingerprint.endswith(":256")


def test_fingerprint_changes_with_the_content_and_not_with_the_place(
    folder_with_model: Path, from_folder: Embedder, tmp_path: Path
) -> None:
    """A moved model is the same embedder, another vocabulary or length limit another."""
    moved = copied(folder_with_model / "model", tmp_path / "moved")
    (moved / "README.md").write_text("documentation does not shape vectors")
    assert load_embedder(str(moved), folder=Path()).fingerprint == from_folder.fingerprint
    assert load_embedder(str(moved), folder=Path(), max_tokens=64).fingerprint != from_folder.fingerprint
    words = (moved / "tokenizer.json").read_text(encoding="utf-8")
    (moved / "tokenizer.json").write_text(words + "\n", encoding="utf-8")
    assert load_embedder(str(moved), folder=Path()).fingerprint != from_folder.fingerprint


def test_loading_draws_nothing_on_the_terminal(folder_with_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The library's own progress bars stay off; what is long has ours."""
    load_embedder("model", folder=folder_with_model).embed(TEXTS)
    assert capfd.readouterr() == ("", "")


def test_hub_id_works_as_an_alias_does(
    minilm: Embedder, from_folder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, from the hub's cache: the same vectors, and the fingerprint of the same model in a folder."""
    repository = tmp_path / "models--someone--some-model"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    copied(find("minilm"), repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    from_hub = load_embedder("someone/some-model", folder=tmp_path)
    np.testing.assert_array_equal(from_hub.embed(TEXTS), minilm.embed(TEXTS))
    assert from_hub.fingerprint == from_folder.fingerprint


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("./no-model-here", "no model at"),
        ("nobody/no-such-model", "nobody/no-such-model"),
        ("not a name!", "not a name!"),
        ("smollm2-135m", "smollm2-135m"),
        ("empty", "not a folder with a model"),
    ],
    ids=["missing path", "hub id while offline", "no hub id", "alias of another use", "folder without model"],
)
def test_name_that_leads_nowhere_lists_the_choices(name: str, part: str, tmp_path: Path) -> None:
    """One sentence, with the aliases that exist."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError) as caught:
        load_embedder(name, folder=tmp_path)
    assert part in str(caught.value)
    assert "an embedder is one of minilm" in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated weights", "no weights", "broken configuration"])
def test_damaged_model_is_reported_and_not_loaded(damage: str, folder_with_model: Path, tmp_path: Path) -> None:
    """A folder that looks like a model and is none; a pickle beside it is not read instead."""
    model = copied(folder_with_model / "model", tmp_path / "model")
    weights = model / "model.safetensors"
    if damage == "truncated weights":
        start = weights.read_bytes()[:1000]
        weights.unlink()
        weights.write_bytes(start)
    elif damage == "no weights":
        weights.rename(model / "pytorch_model.bin")
    else:
        (model / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="sentence-transformers"):
        load_embedder("model", folder=tmp_path)


class Counting:
    """An embedder that remembers what it was asked."""

    dim = 2
    fingerprint = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], dtype=np.float32).reshape(-1, 2)


def test_cached_embedder_asks_once_a_text() -> None:
    """Repeats within a call and over calls cost nothing, order is kept."""
    inner = Counting()
    cached = CachedEmbedder(inner)
    assert cached.embed(["a", "bb", "a"])[:, 0].tolist() == [1, 2, 1]
    assert cached.embed(["ccc", "bb"])[:, 0].tolist() == [3, 2]
    assert cached.embed([]).shape == (0, 2)
    assert inner.asked == ["a", "bb", "ccc"]
