"""What is known of one kept artifact: its folder's `generation.json` and manifest. Switches nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from routers.artifact import read_manifest
from routers.errors import ArtifactError
from routers.manifest import MANIFEST

__all__ = ["RECORD", "Generation", "Note", "label_of", "read_generation"]

RECORD = "generation.json"
BEFORE = "there before generations were kept"
SHOWN = 12
"""Digits of a hash that people are shown."""


class Note(BaseModel):
    """Why a generation came to be, as it is stored with it.

    created: when it was kept. replaced: the number of the one that served until then, None for the first one.
    figures: what it was compared by, as JSON, by name; none where nothing was compared.
    """

    model_config = ConfigDict(frozen=True)

    created: datetime
    why: str
    replaced: int | None = None
    figures: dict[str, Any] = Field(default_factory=dict)


class Generation(BaseModel):
    """One kept artifact. sha256: of its manifest, None where that cannot be read, and `problem` says why."""

    model_config = ConfigDict(frozen=True)

    number: int
    created: datetime
    why: str
    replaced: int | None = None
    figures: dict[str, Any] = Field(default_factory=dict)
    sha256: str | None = None
    problem: str = ""
    serves: bool = False

    @property
    def label(self) -> str:
        """As decisions name it."""
        return label_of(self.number, self.sha256 or "unreadable")


def label_of(number: int | None, sha256: str) -> str:
    """What a decision calls an artifact: its number if it is a generation's, and its hash in short."""
    return sha256[:SHOWN] if number is None else f"{number}-{sha256[:SHOWN]}"


def read_generation(folder: Path, *, serves: bool) -> Generation:
    """What a generation's folder says of it; the artifact itself is not checked."""
    note = _note(folder)
    sha256, problem = None, ""
    try:
        sha256 = read_manifest(folder).sha256
    except ArtifactError as error:
        problem = str(error)
    return Generation(number=int(folder.name), **note.model_dump(), sha256=sha256, problem=problem, serves=serves)


def _note(folder: Path) -> Note:
    """The stored one; the first generation has none, as it was an artifact before anybody kept generations."""
    try:
        return Note.model_validate(json.loads((folder / RECORD).read_bytes()))
    except FileNotFoundError:
        return Note(created=_modified(folder), why=BEFORE)
    except (OSError, ValueError, ValidationError, RecursionError):
        return Note(created=_modified(folder), why=f"{RECORD} cannot be read")


def _modified(folder: Path) -> datetime:
    path = folder / MANIFEST
    try:
        return datetime.fromtimestamp((path if path.exists() else folder).stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)
