"""A trained router as a folder: `manifest.json`, tensors and a mapping, hashed; nothing in it is ever unpickled.

Knows files. What the manifest means is in `routers.manifest`, how a classifier comes back in its kind.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from routers.classify.kinds import classifier_kind, seen_by
from routers.classify.protocol import CategoryClassifier, State
from routers.embedding.protocol import Embedder
from routers.errors import ArtifactError, UnknownClassifier
from routers.gate import Gate, Signal
from routers.lessons import Lessons
from routers.manifest import AGAIN, FORMAT, MANIFEST, Manifest, library_versions, read_manifest, sealed
from routers.mapping.learned import LearnedMapping
from routers.router import Router
from routers.trained import Mapped, Trained

__all__ = [
    "LESSONS",
    "MAPPING",
    "TENSORS",
    "check",
    "load",
    "load_lessons",
    "load_mapping",
    "read_manifest",
    "save",
    "save_mapping",
]

TENSORS = "classifier.safetensors"
MAPPING = "mapping.json"
LESSONS = "lessons.json"


def save(trained: Trained, folder: Path, *, embedder: str) -> None:
    """Write a trained router, or replace the one that is there; nobody ever sees half of one.

    embedder: its name in the configuration, for people; loading compares fingerprints.

    Raises:
        ArtifactError: the folder holds something else, or cannot be written.
    """
    folder = folder.resolve()  # a link stays a link to the new content
    _refuse_foreign(folder)
    files = {TENSORS: save_tensors(dict(trained.router.classifier.state()))}
    if trained.mapping is not None:
        files[MAPPING] = _json(trained.mapping.learned.as_dict())
    if trained.lessons is not None:
        files[LESSONS] = trained.lessons.as_json()
    manifest = _json(_content(trained, embedder, files))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _replace(folder, {MANIFEST: manifest, **files})
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be written ({error.strerror}); see 'routing.artifact'") from error


def save_mapping(mapping: Mapped, folder: Path, *, source: Path, lessons: Lessons | None) -> None:
    """Write the artifact of `source` with another mapping and other lessons: the classifier's file to the byte.

    source: may be `folder` itself, which is replaced then.

    Raises:
        ArtifactError: nothing there, damaged, or it cannot be written.
    """
    folder, source = folder.resolve(), source.resolve()
    _refuse_foreign(folder)
    manifest = read_manifest(source)
    files = {TENSORS: _checked(manifest, source / TENSORS), MAPPING: _json(mapping.learned.as_dict())}
    if lessons is not None:
        files[LESSONS] = lessons.as_json()
    try:
        content = {
            **json.loads((source / MANIFEST).read_bytes()),
            "mapping": _mapping_part(mapping),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        }
        _replace(folder, {MANIFEST: _json(sealed(content)), **files})
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be written ({error.strerror}); see 'routing.artifact'") from error


def load(
    folder: Path, *, embedder: Embedder, categories: Sequence[str] | None = None, general: str | None = None
) -> Router:
    """The router of a folder, once every hash and every condition holds.

    categories, general: those of the configuration; a router trained for others is refused.

    Raises:
        ArtifactError: missing, damaged, edited, or trained for another embedder or other categories.
    """
    manifest = read_manifest(folder)
    path = folder / MANIFEST
    embedder = _seen(manifest, embedder, path)
    _check_embedder(manifest, embedder, path)
    _check_categories(manifest, categories, general, path)
    return Router(
        classifier=_classifier(manifest, embedder, folder),
        calibration=manifest.calibration.value(),
        gate=Gate(manifest.threshold, tuple(Signal(part.name, part.centre, part.spread) for part in manifest.signals)),
        qhat=manifest.qhat,
        general=manifest.general,
    )


def load_mapping(folder: Path) -> LearnedMapping | None:
    """The learned mapping of a folder, its hash checked; None where training had no graded outcomes.

    Raises:
        ArtifactError: missing, damaged or edited.
    """
    manifest = read_manifest(folder)
    if manifest.mapping is None:
        return None
    path = folder / MAPPING
    content = _checked(manifest, path)
    try:
        return LearnedMapping.from_dict(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error}); {AGAIN}") from error
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {AGAIN}") from error


def load_lessons(folder: Path) -> Lessons | None:
    """What a router learned from, the hash checked; None where it was trained before that was kept.

    Raises:
        ArtifactError: missing, damaged or edited.
    """
    manifest = read_manifest(folder)
    if LESSONS not in manifest.files:
        return None
    content = _checked(manifest, folder / LESSONS)
    try:
        return Lessons.from_json(content)
    except ArtifactError as error:
        raise ArtifactError(f"{folder / LESSONS}: {error}; {AGAIN}") from error


def check(folder: Path) -> Manifest:
    """The manifest, once its seal and the hash of every file beside it hold; needs no embedder.

    Raises:
        ArtifactError: missing, damaged or edited.
    """
    manifest = read_manifest(folder)
    for name in manifest.files:
        _checked(manifest, folder / name)
    return manifest


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, indent=2, allow_nan=False).encode() + b"\n"


def _content(trained: Trained, embedder: str, files: Mapping[str, bytes]) -> Mapping[str, object]:
    router = trained.router
    return sealed(
        {
            "format": FORMAT,
            "classifier": {"kind": trained.kind, "parameters": dict(router.classifier.parameters())},
            "classes": list(router.classifier.classes_),
            "general": router.general,
            "calibration": asdict(router.calibration),
            "threshold": router.gate.threshold,
            "signals": [asdict(signal) for signal in router.gate.signals],
            "qhat": router.qhat,
            "embedder": {"name": embedder, "fingerprint": trained.fingerprint, "dim": trained.dim},
            "report": trained.report.model_dump(mode="json"),
            **({} if trained.mapping is None else {"mapping": _mapping_part(trained.mapping)}),
            "versions": library_versions(),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        }
    )


def _mapping_part(mapping: Mapped) -> Mapping[str, object]:
    return {
        "data_sha256": mapping.data_sha256,
        "budget": mapping.learned.budget.model_dump(mode="json"),
        "active_params_b": dict(mapping.active_params_b),
        "max_drafts": mapping.max_drafts,
        **({"placed": [placed.model_dump(mode="json") for placed in mapping.placed]} if mapping.placed else {}),
    }


def _refuse_foreign(folder: Path) -> None:
    """Replacing removes what was there, so it must be ours: a wrong path must not cost anyone a folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is a file, not a folder; give 'routing.artifact' another path")
    foreign = sorted({entry.name for entry in folder.iterdir()} - {MANIFEST, TENSORS, MAPPING, LESSONS})
    if foreign:
        raise ArtifactError(
            f"{folder} holds {foreign[0]!r}, so it is no router's; give 'routing.artifact' another path"
        )


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Complete beside it first, then renamed into place; the old one is removed only once the new one stands."""
    mark = secrets.token_hex(4)
    new, old = (folder.with_name(f".{folder.name}.{mark}.{state}") for state in ("new", "old"))
    new.mkdir()
    try:
        for name, content in files.items():
            _write(new / name, content)
        _swap(folder, new=new, old=old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _swap(folder: Path, *, new: Path, old: Path) -> None:
    """Two renames, since a folder cannot be renamed over a full one; if the second fails the first is undone."""
    if not folder.exists():
        new.rename(folder)
        return
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _seen(manifest: Manifest, embedder: Embedder, path: Path) -> Embedder:
    try:
        return seen_by(manifest.classifier.kind, embedder, manifest.classifier.parameters)
    except UnknownClassifier as error:
        raise ArtifactError(f"{path}: {error}") from error


def _check_embedder(manifest: Manifest, embedder: Embedder, path: Path) -> None:
    trained_on = manifest.embedder
    if (trained_on.fingerprint, trained_on.dim) != (embedder.fingerprint, embedder.dim):
        raise ArtifactError(
            f"{path}: trained on embedder {trained_on.name!r} ({trained_on.fingerprint}, {trained_on.dim} numbers), "
            f"not on this one ({embedder.fingerprint}, {embedder.dim} numbers); {AGAIN}"
        )


def _check_categories(manifest: Manifest, categories: Sequence[str] | None, general: str | None, path: Path) -> None:
    if categories is not None and set(categories) != set(manifest.categories):
        raise ArtifactError(
            f"{path}: trained for categories {', '.join(manifest.categories)}, "
            f"not for {', '.join(sorted(set(categories)))}; {AGAIN}"
        )
    if general is not None and general != manifest.general:
        raise ArtifactError(f"{path}: its general category is {manifest.general!r}, not {general!r}; {AGAIN}")


def _classifier(manifest: Manifest, embedder: Embedder, folder: Path) -> CategoryClassifier:
    state = _tensors(manifest, folder / TENSORS)
    try:
        kind = classifier_kind(manifest.classifier.kind)
        return kind(embedder, **manifest.classifier.parameters).restore(manifest.classes, state)
    except UnknownClassifier as error:
        raise ArtifactError(f"{folder / MANIFEST}: {error}") from error
    except (ValueError, TypeError) as error:
        raise ArtifactError(
            f"{folder / TENSORS} does not fit classifier {manifest.classifier.kind!r} ({error}); {AGAIN}"
        ) from error


def _tensors(manifest: Manifest, path: Path) -> State:
    try:
        state: State = load_tensors(_checked(manifest, path))
    except SafetensorError as error:
        raise ArtifactError(f"{path} holds no tensors ({error}); {AGAIN}") from error
    return state


def _checked(manifest: Manifest, path: Path) -> bytes:
    """The content of a file that the manifest knows; what is hashed is what is read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error
    expected, found = manifest.files.get(path.name), hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ArtifactError(f"{path} is damaged: expected sha256 {expected}, found {found}; {AGAIN}")
    return content
