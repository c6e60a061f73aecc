"""The learned mapping in the artifact: it comes back exactly, or not at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from routers.artifact import LESSONS, MAPPING, TENSORS, load, load_mapping, read_manifest, save
from routers.embedding import Embedder
from routers.errors import ArtifactError
from routers.manifest import MANIFEST, sealed
from routers.trained import Mapped, Trained
from routers.weights import file_sha256
from tests.learning import learned_mapping


@pytest.fixture
def mapped(trained: Trained) -> Trained:
    """The trained router with a mapping."""
    return replace(
        trained, mapping=Mapped(learned=learned_mapping(), data_sha256="d" * 64, active_params_b={"dear": 8.0})
    )


@pytest.fixture
def folder(mapped: Trained, tmp_path: Path) -> Path:
    """Both, saved."""
    save(mapped, tmp_path / "router", embedder="minilm")
    return tmp_path / "router"


def test_the_mapping_comes_back_as_it_was(folder: Path, embedder: Embedder) -> None:
    """Specified: beside a router that loads as ever; the manifest has both hashes and what was learned from."""
    assert load_mapping(folder) == learned_mapping()
    load(folder, embedder=embedder)
    manifest = read_manifest(folder)
    assert manifest.files == {name: file_sha256(folder / name) for name in (TENSORS, MAPPING, LESSONS)}
    assert manifest.mapping is not None
    assert (manifest.mapping.data_sha256, manifest.mapping.active_params_b) == ("d" * 64, {"dear": 8.0})
    assert manifest.mapping.budget == learned_mapping().budget


def test_a_router_without_a_mapping_says_so(folder: Path, trained: Trained) -> None:
    """Ours: and saving one over a router that had a mapping leaves none behind."""
    save(trained, folder, embedder="minilm")
    assert load_mapping(folder) is None
    assert sorted(path.name for path in folder.iterdir()) == [TENSORS, LESSONS, MANIFEST]
    assert read_manifest(folder).mapping is None


def edit(folder: Path) -> None:
    """Another expert for a category, by hand."""
    text = (folder / MAPPING).read_text()
    (folder / MAPPING).write_text(text.replace('"verses": "cheap"', '"verses": "dear"'))


def remove(folder: Path) -> None:
    (folder / MAPPING).unlink()


def forge(content: bytes) -> Callable[[Path], None]:
    """Another content under a forged hash: what is left is the reader's own care."""

    def tamper(folder: Path) -> None:
        (folder / MAPPING).write_bytes(content)
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"][MAPPING] = file_sha256(folder / MAPPING)
        (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))

    return tamper


def unlist(folder: Path) -> None:
    """The manifest has a mapping and no hash of one."""
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"][MAPPING]
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))


@pytest.mark.parametrize(
    "tamper",
    [edit, remove, unlist, forge(b"\xff"), forge(b"[" * 100_000), forge(b"[]"), forge(b'{"format": 1}')],
    ids=["edited", "removed", "unlisted", "no text", "nested without end", "no mapping", "half a mapping"],
)
def test_a_tampered_mapping_is_refused(tamper: Callable[[Path], None], folder: Path) -> None:
    """Specified: the message names the file and what to do; nothing else is raised."""
    tamper(folder)
    with pytest.raises(ArtifactError, match=r"mapping\.json.*orchestrator train") as caught:
        load_mapping(folder)
    assert str(caught.value).count(str(folder)) == 1
