"""Kept artifacts as folders, and the link that says which one serves.

`artifacts/router.generations/3` is the third generation; `artifacts/router` is a link to the one that serves, and the
link is replaced by one rename. Until the first promotion `artifacts/router` is a folder, as training alone leaves it:
then it is moved, to be generation 1. A generation, once it has its number, is never written to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Self

from orchestrator.config import Config
from orchestrator.errors import RunError
from orchestrator.generations.lock import locked
from orchestrator.generations.record import RECORD, Generation, Note, read_generation
from orchestrator.generations.switch import ServingLink, Switch, written
from routers import artifact
from routers.errors import ArtifactError
from routers.lessons import Lessons
from routers.trained import Mapped, Trained

__all__ = ["Generations"]

LOCK = "lock"
STAGED = ".staged-"
GONE = ".gone-"
TRAINED = "trained, compared with nothing"


class Generations:
    """The generations of the artifact at `path`. keep: so many are left after one is added, the serving one counted.

    Methods that change anything hold the lock, except inside `alone`, which holds it for a whole run.
    """

    def __init__(self, path: Path, *, keep: int = 5) -> None:
        self._link = ServingLink(path)
        self.path, self.folder = self._link.path, self._link.folder
        self._keep = keep
        self._alone = False

    @classmethod
    def of(cls, config: Config) -> Self:
        """Those of the artifact of a configuration."""
        return cls(config.path(config.routing.artifact), keep=config.routing.generations)

    @property
    def serving(self) -> int | None:
        """The number of the generation that serves; None where there is none, or a folder that is none."""
        return self._link.serving

    @property
    def rolled_back(self) -> bool:
        """Whether somebody prefers an older generation to the latest."""
        serving, numbers = self.serving, self.numbers()
        return serving is not None and bool(numbers) and serving < numbers[-1]

    def numbers(self) -> list[int]:
        """Of all that are kept, ascending."""
        try:
            return sorted(int(entry.name) for entry in self.folder.iterdir() if entry.name.isdecimal())
        except FileNotFoundError:
            return []

    def all(self) -> list[Generation]:
        """What is known of each, the oldest first."""
        serving = self.serving
        return [read_generation(self.folder / str(n), serves=n == serving) for n in self.numbers()]

    @property
    def _next(self) -> int:
        return 1 + max(self.numbers(), default=0)

    @property
    def _displaced(self) -> int | None:
        """The number for a folder that is no generation yet; None where there is none."""
        return self._next if self._link.is_plain else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else trains, promotes or rolls back during the block; what a crash interrupted is finished first.

        Raises:
            ArtifactError: somebody else does, or the folder cannot be written.

        """
        if self._alone:
            yield
            return
        with _said(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / LOCK):
            self._alone = True
            try:
                with _said(self.folder):
                    self._link.finish()
                    self._sweep()
                yield
            finally:
                self._alone = False

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A place on the same file system for an artifact that is to be added; gone after the block."""
        place = self.folder / f"{STAGED}{token_hex(4)}"
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def add(self, staged: Path, *, why: str, figures: dict[str, object] | None = None) -> Generation:
        """Make a staged artifact the next generation, and have it serve. Takes the folder away.

        Raises:
            ArtifactError: it is damaged, cannot be written, or somebody else is at work; what served still serves.

        """
        artifact.check(staged)
        with self.alone(), _said(self.folder):
            displaced = self._displaced
            number = self._next if displaced is None else displaced + 1
            replaced = self.serving if displaced is None else displaced
            note = Note(created=datetime.now(UTC), why=why, replaced=replaced, figures=figures or {})
            written(staged / RECORD, note.model_dump_json(indent=2).encode() + b"\n")
            self._link.switch(Switch(number, displaced), staged=staged)
            self._prune(number, replaced)
        return read_generation(self.folder / str(number), serves=True)

    def save_mapping(self, mapping: Mapped, *, lessons: Lessons | None, why: str) -> None:
        """Have what serves go on with another mapping; where generations are kept it becomes the next one.

        Raises:
            ArtifactError: it cannot be written, or somebody else is at work; what served still serves.

        """
        self.mend()
        if self.serving is None:
            artifact.save_mapping(mapping, self.path, source=self.path, lessons=lessons)
            return
        with self.alone(), self.staged() as place:
            artifact.save_mapping(mapping, place, source=self.path, lessons=lessons)
            self.add(place, why=why)

    def save(self, trained: Trained, *, embedder: str) -> None:
        """As `artifact.save`, but where generations are kept it becomes the next one.

        Raises:
            ArtifactError: it cannot be written, or somebody else is at work; what served still serves.

        """
        self.mend()
        if self.serving is None:
            artifact.save(trained, self.path, embedder=embedder)
            return
        with self.alone(), self.staged() as place:
            artifact.save(trained, place, embedder=embedder)
            self.add(place, why=TRAINED)

    def roll_back(self, to: int | None = None) -> Generation:
        """Have an older generation serve, by its number, or else the one that the serving one replaced.

        Raises:
            RunError: there is none, or it serves already.
            ArtifactError: it is damaged, or somebody else is at work.

        """
        if not self.folder.is_dir():
            raise RunError(f"no generations are kept at {self.folder}; 'orchestrator promote' makes them")
        with self.alone():
            number = self._previous() if to is None else to
            if number not in self.numbers():
                known = ", ".join(map(str, self.numbers())) or "none"
                raise RunError(f"there is no generation {number}; kept are {known}")
            if number == self.serving:
                raise RunError(f"generation {number} serves already; see 'orchestrator generations'")
            artifact.check(self.folder / str(number))
            with _said(self.folder):
                self._link.switch(Switch(number, self._displaced))
        return read_generation(self.folder / str(number), serves=True)

    def mend(self) -> None:
        """Finish a switch that a crash interrupted; does nothing where there is none, or while it is under way."""
        if not self._link.unfinished:
            return
        try:
            with self.alone():
                pass
        except ArtifactError:
            return  # somebody is at it, or nobody can: loading says what is missing

    def _previous(self) -> int:
        serving = self.serving
        if serving is None:
            raise RunError(f"no generation serves at {self.path}; name one by --to")
        older = [number for number in self.numbers() if number < serving]
        replaced = read_generation(self.folder / str(serving), serves=True).replaced
        if replaced in self.numbers() and replaced is not None:
            return replaced
        if not older:
            raise RunError(f"generation {serving} is the oldest that is kept")
        return older[-1]

    def _prune(self, *needed: int | None) -> None:
        """Forget the oldest beyond those to keep; never the serving one, nor the one that it replaced."""
        numbers = self.numbers()
        spare = [number for number in numbers if number not in needed]
        for number in spare[: max(0, len(numbers) - self._keep)]:
            gone = self.folder / f"{GONE}{number}-{token_hex(4)}"
            with suppress(OSError):  # one that cannot go now goes another time
                (self.folder / str(number)).rename(gone)
                shutil.rmtree(gone)

    def _sweep(self) -> None:
        """Remove what dead processes left half done."""
        for entry in self.folder.iterdir():
            if entry.name.startswith("."):
                shutil.rmtree(entry, ignore_errors=True)
        self._link.sweep()


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    """A file system's refusal, in our words."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be written ({error.strerror}); see 'routing.artifact'") from error
