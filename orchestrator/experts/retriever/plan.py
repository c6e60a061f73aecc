"""What of the settings shapes a corpus on disk: which files, and how they are cut."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from orchestrator.config.kinds import RetrieverSettings
from orchestrator.experts.retriever.spans import VERSION

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """named: paths of files and folders, and patterns; relative ones start at `folder`.

    size, overlap: of passages, in words. most_bytes: larger files are left out.
    """

    named: tuple[Path, ...]
    folder: Path
    size: int
    overlap: int
    most_bytes: int

    @classmethod
    def of(cls, settings: RetrieverSettings, folder: Path) -> Plan:
        """The plan of a retriever; retrievers of equal plans share passages, and vectors where embedders are equal."""
        return cls(
            named=settings.corpus,
            folder=folder,
            size=settings.chunk.size,
            overlap=settings.chunk.overlap,
            most_bytes=int(settings.max_file_mb * 1e6),
        )

    @property
    def key(self) -> str:
        """Names its folder in the cache."""
        paths = [os.path.abspath(self.folder / path) for path in self.named]  # noqa: PTH100 - links stay what they are
        parts = [VERSION, paths, self.size, self.overlap, self.most_bytes]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]

    @property
    def title(self) -> str:
        """For people."""
        return ", ".join(map(str, self.named))
