"""The manifest of a trained router: what it is, what it was trained on, and the hashes that seal both.

Knows one JSON file, not the tensors beside it.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from routers.calibration import Calibration
from routers.errors import ArtifactError
from routers.mapping.learned import Limits
from routers.trained import Placed, Report

__all__ = [
    "AGAIN",
    "FORMAT",
    "MANIFEST",
    "CalibrationPart",
    "ClassifierPart",
    "EmbedderPart",
    "Manifest",
    "MappingPart",
    "library_versions",
    "read_manifest",
    "sealed",
]

FORMAT = 3
MANIFEST = "manifest.json"
AGAIN = "run 'orchestrator train' again"

LIBRARIES = ("numpy", "scipy", "scikit-learn", "safetensors", "sentence-transformers", "transformers", "torch")

Unit = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassifierPart(_Part):
    """The entry point's name, and the keyword arguments of the kind."""

    kind: str
    parameters: dict[str, Any]


class EmbedderPart(_Part):
    """The embedder as the configuration named it, and what its vectors depend on."""

    name: str
    fingerprint: str
    dim: int


class CalibrationPart(_Part):
    """Temperature and curve, see `routers.calibration.Calibration`; what that refuses is refused here."""

    temperature: Positive
    curve: tuple[tuple[Unit, Unit], ...] | None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self.value()
        return self

    def value(self) -> Calibration:
        """As the router has it."""
        return Calibration(self.temperature, self.curve)


class SignalPart(_Part):
    """A signal of the gate, see `routers.gate.Signal`."""

    name: str
    centre: Finite
    spread: Positive


class MappingPart(_Part):
    """What the learned mapping was learned from: the graded outcomes, the budget, the experts' active parameters.

    max_drafts: of the fuse plans that were tried, None where there were none to try.
    placed: experts that were added from shots of their own, which `data_sha256` does not cover.
    """

    data_sha256: str
    budget: Limits
    active_params_b: dict[str, float]
    max_drafts: int | None = None
    placed: tuple[Placed, ...] = ()


class Manifest(_Part):
    """A whole manifest.json. `classes` are the columns of the classifier; for the rest see `Router`.

    mapping: None where none was learned; otherwise it is a file of its own.
    """

    format: Literal[3]
    classifier: ClassifierPart
    classes: tuple[str, ...] = Field(min_length=2)
    general: str
    calibration: CalibrationPart
    threshold: Finite
    signals: tuple[SignalPart, ...] = ()
    qhat: Unit
    embedder: EmbedderPart
    report: Report
    mapping: MappingPart | None = None
    versions: dict[str, str]
    files: dict[str, str]
    sha256: str

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category that a query can be sent to, sorted."""
        return tuple(sorted({*self.classes, self.general}))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a trained router, its seal checked.

    Raises:
        ArtifactError: nothing there, not JSON, a format of another version, or edited.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactError(f"there is no trained router at {folder}; run 'orchestrator train'")
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error
    except (ValueError, RecursionError) as error:  # JSON and Unicode errors, and JSON nested without end
        raise ArtifactError(f"{path} is not JSON ({error}); {AGAIN}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise ArtifactError(f"{path} has format {found!r}, this version reads {FORMAT}; {AGAIN}")
    found = content.get("sha256")
    expected = _seal(content)
    if found != expected:
        raise ArtifactError(f"{path} was changed after training: its sha256 is {expected}, it says {found!r}; {AGAIN}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, problem["loc"])) for problem in error.errors()}))
        raise ArtifactError(f"{path} is no manifest of a router, see {fields}; {AGAIN}") from error


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest's content with its own hash, so that an edit is noticed."""
    return {**content, "sha256": _seal(content)}


def library_versions() -> dict[str, str]:
    """Python, and the libraries on which the numbers depend, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def _seal(content: Mapping[str, Any]) -> str:
    """sha256 over the canonical JSON of everything but the hash itself."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
