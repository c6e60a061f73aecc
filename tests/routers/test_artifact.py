"""The trained router as a folder: it comes back exactly, or not at all."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save as save_tensors

from routers.artifact import LESSONS, TENSORS, load, read_manifest, save
from routers.embedding import Embedder
from routers.errors import ArtifactError
from routers.examples import Example
from routers.manifest import FORMAT, MANIFEST, sealed
from routers.train import train
from routers.trained import Trained
from routers.weights import file_sha256

QUERIES = ["boil an egg", "what is 7 times 8", "qwx zzkk", "", "my payslip"]


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    """A saved router."""
    save(trained, tmp_path / "router", embedder="minilm")
    return tmp_path / "router"


def test_loaded_router_routes_to_the_last_bit_as_the_trained_one(
    folder: Path, trained: Trained, embedder: Embedder
) -> None:
    """Posterior, set, gate: equal values, not close ones."""
    assert load(folder, embedder=embedder).classify(QUERIES) == trained.router.classify(QUERIES)


def test_a_gate_that_weighs_evidence_comes_back_too(examples: list[Example], minilm: Embedder, tmp_path: Path) -> None:
    """The kernel classifier over the layers of the model: signals, landmarks, n-grams; named as the plain embedder."""
    kernel = train(examples, general="general", embedder=minilm, classifier="kernel")
    save(kernel, tmp_path / "kernel", embedder="minilm")
    loaded = load(tmp_path / "kernel", embedder=minilm)
    assert [signal.name for signal in loaded.gate.signals] == ["score", "nearness"]
    assert loaded.gate == kernel.router.gate
    routings = loaded.classify(QUERIES)
    assert routings == kernel.router.classify(QUERIES)
    assert routings[2].gate.value < routings[0].gate.value


def test_saving_twice_writes_the_same_bytes(folder: Path, trained: Trained, tmp_path: Path) -> None:
    """No clock, no randomness: the artifact's hash names what was trained."""
    save(trained, tmp_path / "again", embedder="minilm")
    for name in (MANIFEST, TENSORS):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_manifest_tells_what_the_router_is(folder: Path, trained: Trained, embedder: Embedder) -> None:
    """All that a person or a service asks without loading tensors."""
    manifest = read_manifest(folder)
    assert manifest.report == trained.report
    assert (manifest.general, manifest.threshold) == ("general", trained.router.gate.threshold)
    assert (manifest.calibration.value(), manifest.qhat) == (trained.router.calibration, trained.router.qhat)
    assert (manifest.classifier.kind, manifest.classifier.parameters) == ("linear", {"c": 10.0})
    assert (manifest.embedder.name, manifest.embedder.dim) == ("minilm", 384)
    assert manifest.embedder.fingerprint == embedder.fingerprint
    assert manifest.categories == trained.router.categories
    assert manifest.files == {name: file_sha256(folder / name) for name in (TENSORS, LESSONS)}
    assert {"python", "numpy", "scikit-learn", "safetensors"} <= manifest.versions.keys()


def test_saving_replaces_the_router_that_is_there(folder: Path, examples: list[Example], embedder: Embedder) -> None:
    """Nothing is left beside it."""
    other = train(examples, general="other", embedder=embedder)
    save(other, folder, embedder="minilm")
    assert load(folder, embedder=embedder).general == "other"
    assert [entry.name for entry in folder.parent.iterdir()] == ["router"]


def test_damaged_router_can_be_replaced(folder: Path, trained: Trained, embedder: Embedder) -> None:
    """Training again is what every message says, so it must help."""
    (folder / MANIFEST).write_text("{")
    save(trained, folder, embedder="minilm")
    assert load(folder, embedder=embedder).classify(QUERIES) == trained.router.classify(QUERIES)


def test_saving_makes_the_folders_above(trained: Trained, tmp_path: Path) -> None:
    """`artifacts/router` works in an empty folder."""
    save(trained, tmp_path / "artifacts" / "router", embedder="minilm")
    assert read_manifest(tmp_path / "artifacts" / "router").general == "general"


def test_folder_of_something_else_is_never_replaced(trained: Trained, tmp_path: Path) -> None:
    """A wrong path in the configuration costs nobody their files."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ArtifactError, match=r"thesis\.txt"):
        save(trained, tmp_path, embedder="minilm")
    with pytest.raises(ArtifactError, match="is a file"):
        save(trained, tmp_path / "thesis.txt", embedder="minilm")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_save_that_fails_leaves_the_old_router(
    folder: Path, trained: Trained, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of the two renames fails: the first is undone."""
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ArtifactError, match="No space left"):
        save(trained, folder, embedder="minilm")
    assert load(folder, embedder=embedder).classify(QUERIES) == trained.router.classify(QUERIES)
    assert [entry.name for entry in folder.parent.iterdir()] == ["router"]


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / TENSORS).read_bytes())
    content[-5] ^= 1
    (folder / TENSORS).write_bytes(content)


def truncate(name: str) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return tamper


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def edit(*, seal: bool, **fields: Any) -> Callable[[Path], None]:
    """Change fields of the manifest, and forge its own hash or not."""

    def tamper(folder: Path) -> None:
        content = {**json.loads((folder / MANIFEST).read_text()), **fields}
        (folder / MANIFEST).write_text(json.dumps(sealed(content) if seal else content))

    return tamper


def curve(*points: tuple[float, float]) -> Callable[[Path], None]:
    """Calibrate by this curve, under a forged hash."""
    return edit(seal=True, calibration={"temperature": 1.0, "curve": points})


def replace_tensors(content: bytes) -> Callable[[Path], None]:
    """Other tensors under a forged hash: what is left is the reader's own care."""

    def tamper(folder: Path) -> None:
        (folder / TENSORS).write_bytes(content)
        edit(seal=True, files={TENSORS: file_sha256(folder / TENSORS)})(folder)

    return tamper


def remove_all(folder: Path) -> None:
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()


def write(name: str, content: str) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        (folder / name).write_text(content)

    return tamper


TAMPERING: dict[str, tuple[Callable[[Path], None], str]] = {
    "byte flipped in the tensors": (flip_a_byte, TENSORS),
    "tensors truncated": (truncate(TENSORS), TENSORS),
    "tensors removed": (remove(TENSORS), TENSORS),
    "tensors of no format, hash forged": (replace_tensors(b"no tensors at all"), TENSORS),
    "tensors of no shape that fits, hash forged": (replace_tensors(save_tensors({})), TENSORS),
    "threshold edited": (edit(seal=False, threshold=0.0), MANIFEST),
    "report edited": (edit(seal=False, report={}), MANIFEST),
    "field added": (edit(seal=False, note="hello"), MANIFEST),
    "field added, hash forged": (edit(seal=True, note="hello"), MANIFEST),
    "temperature of zero, hash forged": (edit(seal=True, calibration={"temperature": 0.0, "curve": None}), MANIFEST),
    "curve without points, hash forged": (curve(), MANIFEST),
    "curve that falls, hash forged": (curve((0.1, 0.4), (0.2, 0.3)), MANIFEST),
    "curve that goes back, hash forged": (curve((0.2, 0.1), (0.1, 0.3)), MANIFEST),
    "curve beyond 1, hash forged": (curve((0.1, 0.4), (0.2, 1.5)), MANIFEST),
    "curve that is not finite, hash forged": (curve((0.1, math.nan), (0.2, 0.3)), MANIFEST),
    "classifier unknown, hash forged": (
        edit(seal=True, classifier={"kind": "quadratic", "parameters": {}}),
        MANIFEST,
    ),
    "parameter unknown, hash forged": (
        edit(seal=True, classifier={"kind": "linear", "parameters": {"depth": 3}}),
        "depth",
    ),
    "format of another version": (edit(seal=True, format=FORMAT + 1), MANIFEST),
    "manifest truncated": (truncate(MANIFEST), MANIFEST),
    "manifest removed": (remove(MANIFEST), MANIFEST),
    "manifest a list": (write(MANIFEST, "[]"), MANIFEST),
    "folder missing": (remove_all, "router"),
}


@pytest.mark.parametrize(("tamper", "named"), TAMPERING.values(), ids=TAMPERING)
def test_tampered_router_is_refused(
    tamper: Callable[[Path], None], named: str, folder: Path, embedder: Embedder
) -> None:
    """The message names the file and what to do; nothing else is raised."""
    tamper(folder)
    with pytest.raises(ArtifactError) as caught:
        load(folder, embedder=embedder)
    assert named in str(caught.value)
    assert str(folder) in str(caught.value)


def test_router_of_another_embedder_is_refused(folder: Path, embedder: Embedder) -> None:
    """Same size, other weights: it would load and be wrong on everything."""

    class Other:
        dim = 384
        fingerprint = "minilm:0000000000000000:256"
        embed = embedder.embed

    with pytest.raises(ArtifactError, match=r"(?s)manifest\.json.*53aa51172d142c89.*0000000000000000.*train"):
        load(folder, embedder=Other())


def test_router_for_other_categories_is_refused(folder: Path, trained: Trained, embedder: Embedder) -> None:
    """A category was added to the configuration, or the general one is another."""
    categories = trained.router.categories
    assert load(folder, embedder=embedder, categories=categories, general="general").categories == categories
    with pytest.raises(ArtifactError, match=r"manifest\.json.*weather"):
        load(folder, embedder=embedder, categories=[*categories, "weather"])
    with pytest.raises(ArtifactError, match=r"manifest\.json.*'general', not 'travel'"):
        load(folder, embedder=embedder, categories=categories, general="travel")
