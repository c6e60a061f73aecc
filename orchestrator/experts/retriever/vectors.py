"""Vectors of a corpus on disk: one safetensors file with its manifest in the header. Knows no embedder.

A file is written beside its place and moved there, so nobody sees half of one; what was damaged later is found by
its hash. A file that cannot be used is as good as none: its vectors can be made again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import structlog
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from routers.embedding import FloatArray

__all__ = ["load_vectors", "save_vectors"]

log = structlog.get_logger()

_TENSOR = "vectors"


def load_vectors(path: Path, manifest: Mapping[str, str]) -> FloatArray | None:
    """The vectors of a file, None where there is none that is whole and has this manifest. Blocking."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            found: dict[str, str] = dict(file.metadata() or {})
            rows: FloatArray = file.get_tensor(_TENSOR)
    except (OSError, SafetensorError) as error:
        log.warning("vectors.unreadable", path=str(path), error=str(error))
        return None
    if found != {**manifest, "sha256": _sha256(rows)}:
        log.warning("vectors.damaged", path=str(path))
        return None
    return rows


def save_vectors(path: Path, rows: FloatArray, manifest: Mapping[str, str]) -> None:
    """Write vectors and manifest; a disk that does not take them costs the next start time, not this one. Blocking."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as beside:
            written = Path(beside) / path.name
            save_file({_TENSOR: rows}, written, metadata={**manifest, "sha256": _sha256(rows)})
            os.replace(written, path)  # noqa: PTH105 - named for what matters here: it replaces, in one step
    except (OSError, SafetensorError) as error:
        log.warning("vectors.not_saved", path=str(path), error=str(error))


def _sha256(rows: FloatArray) -> str:
    return hashlib.sha256(rows.tobytes()).hexdigest()
