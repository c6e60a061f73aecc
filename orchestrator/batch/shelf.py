"""Files and batches in a folder, each with who it belongs to. Ids are our own: no path of a client is ever used."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Literal, TypeVar

from pydantic import BaseModel

from orchestrator.batch.records import Batch, File, now
from orchestrator.errors import RunError

__all__ = ["Shelf"]

_ID = re.compile(r"(?:file|batch)_[0-9a-f]{24}")
_DAY_S = 86_400
Record = TypeVar("Record", File, Batch)


class _Kept(BaseModel):
    caller: str
    record: str


class Shelf:
    """What is kept in one folder. A record is written anew beside its file and put in place, so that none is torn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"serve.batches: {folder}: {error.strerror or error}") from error

    def new_file(
        self, caller: str, filename: str, purpose: Literal["batch", "batch_output"], source: BinaryIO | None = None
    ) -> File:
        """A file with what `source` has, empty without one; see `lines` for its place.

        Raises:
            RunError: there is no room for it; nothing of it is left then.

        """
        file = File(id=_new("file"), bytes=0, filename=filename, purpose=purpose)
        place = self.lines(file.id)
        try:
            with place.open("wb") as target:
                if source is not None:
                    copyfileobj(source, target)
            self.keep(caller, file)
        except OSError as error:
            self.remove(file)
            raise RunError(f"The file cannot be kept: {error.strerror or error}.") from error
        return file.model_copy(update={"bytes": place.stat().st_size})

    def new_batch(self, caller: str, batch: Batch) -> Batch:
        """A batch under an id of its own."""
        made = batch.model_copy(update={"id": _new("batch")})
        self.keep(caller, made)
        return made

    def keep(self, caller: str, record: File | Batch) -> None:
        """Write a record down, as it is now."""
        place = self._place(record.id)
        fresh = place.with_suffix(".new")
        fresh.write_text(_Kept(caller=caller, record=record.model_dump_json()).model_dump_json(), encoding="utf-8")
        fresh.replace(place)

    def file(self, name: str, caller: str) -> File | None:
        """A file of a caller; None where there is none."""
        file = self._read(name, caller, File)
        return file and file.model_copy(update={"bytes": self.lines(name).stat().st_size})

    def batch(self, name: str, caller: str) -> Batch | None:
        """A batch of a caller; None where there is none."""
        return self._read(name, caller, Batch)

    def batches(self, caller: str) -> list[Batch]:
        """Those of a caller, newest first."""
        mine = [batch for owner, batch in self._all() if owner == caller]
        return sorted(mine, key=lambda batch: (batch.created_at, batch.id), reverse=True)

    def unfinished(self) -> list[tuple[str, Batch]]:
        """With their callers those that are to be gone on with, oldest first."""
        return sorted(
            [(owner, batch) for owner, batch in self._all() if not batch.over], key=lambda pair: pair[1].created_at
        )

    def lines(self, name: str) -> Path:
        """Where the lines of a file are. name: an id of ours."""
        return self._folder / f"{name}.jsonl"

    def remove(self, file: File) -> None:
        """Let go of a file."""
        self.lines(file.id).unlink(missing_ok=True)
        self._place(file.id).unlink(missing_ok=True)

    def clean(self, *, days: float) -> int:
        """Let go of what is older, but for batches under way and their files; how many there were."""
        used = {name for _, batch in self.unfinished() for name in (batch.id, batch.input_file_id)}
        used |= {name for _, batch in self.unfinished() for name in (batch.output_file_id, batch.error_file_id) if name}
        old = [place for place in self._folder.glob("*.json") if place.stat().st_mtime < now() - days * _DAY_S]
        gone = [place for place in old if place.stem not in used]
        for place in gone:
            self.lines(place.stem).unlink(missing_ok=True)
            place.unlink(missing_ok=True)
        return len(gone)

    def _read(self, name: str, caller: str, kind: type[Record]) -> Record | None:
        if not _ID.fullmatch(name) or not name.startswith(kind.__name__.lower()):
            return None
        try:
            kept = _Kept.model_validate_json(self._place(name).read_bytes())
        except FileNotFoundError:
            return None
        return kind.model_validate_json(kept.record) if kept.caller == caller else None

    def _all(self) -> Iterator[tuple[str, Batch]]:
        for place in self._folder.glob("batch_*.json"):
            try:
                kept = _Kept.model_validate_json(place.read_bytes())
                yield kept.caller, Batch.model_validate_json(kept.record)
            except (FileNotFoundError, ValueError):  # gone since, or somebody else's file
                continue

    def _place(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _new(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(12)}"
