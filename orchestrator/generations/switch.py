"""The link that says which generation serves, and its replacement, which is done wholly or not at all.

A switch is noted in the file `switching` before it begins. Where a process dies in it, `finish` does the rest; where
the file system refuses a step, what was done is undone. Knows links and folders, not what is in them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

__all__ = ["SUFFIX", "ServingLink", "Switch", "synced", "written"]

SUFFIX = ".generations"
SWITCHING = "switching"
LINK = ".link-"
MOST_LINKS = 40
"""As many as Linux follows; beyond them they run in a circle."""


class Switch(NamedTuple):
    """What is to be done. to: the generation that is to serve. displaced: the number for a folder in its place."""

    to: int
    displaced: int | None


class ServingLink:
    """`path`, a link to a folder in `folder`; or a folder itself, as long as nothing was ever switched."""

    def __init__(self, path: Path) -> None:
        self.path = _own(path)
        self.folder = self.path.with_name(self.path.name + SUFFIX)
        self._marker = self.folder / SWITCHING

    @property
    def serving(self) -> int | None:
        """The number that it links to; None where it is no link."""
        try:
            target = self.path.readlink()
        except OSError:
            return None
        return int(target.name) if target.name.isdecimal() else None

    @property
    def unfinished(self) -> bool:
        """Whether a switch is under way, or was when its process died."""
        return self._marker.exists()

    @property
    def is_plain(self) -> bool:
        """Whether it is a folder that is no generation yet."""
        return self.path.is_dir() and not self.path.is_symlink()

    def switch(self, switch: Switch, *, staged: Path | None = None) -> None:
        """Have a generation serve. staged: the folder that becomes this generation first.

        Raises:
            OSError: it is refused; then nothing has changed, and the staged folder may be gone.

        """
        try:
            written(self._marker, json.dumps(switch).encode())
            synced(self.folder)
            if staged is not None:
                staged.rename(self.folder / str(switch.to))
                synced(self.folder)
            self._do(switch)
        except OSError:
            if self.serving == switch.to:  # done, and only not known to outlive a power cut
                return
            self._undo(switch, new=staged is not None)
            raise

    def finish(self) -> None:
        """Do the rest of a switch that a process died in, unless its generation had not got its number yet."""
        try:
            switch = Switch(*json.loads(self._marker.read_bytes()))
        except FileNotFoundError:
            return
        except (ValueError, TypeError):  # it died while it wrote this down, before anything else
            self._marker.unlink()
            return
        if (self.folder / str(switch.to)).is_dir():
            self._do(switch)
        self._marker.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove links that dead processes left."""
        for entry in self.path.parent.glob(f".{self.path.name}{LINK}*"):
            entry.unlink(missing_ok=True)

    def _do(self, switch: Switch) -> None:
        if switch.displaced is not None and self.is_plain:
            self.path.rename(self.folder / str(switch.displaced))
            synced(self.folder)
        link = self.path.with_name(f".{self.path.name}{LINK}{token_hex(4)}")
        try:
            link.symlink_to(Path(self.folder.name) / str(switch.to), target_is_directory=True)
            link.replace(self.path)
        finally:
            link.unlink(missing_ok=True)
        synced(self.path.parent)
        self._marker.unlink(missing_ok=True)

    def _undo(self, switch: Switch, *, new: bool) -> None:
        """What is reported as failed must not happen later on, when somebody finishes it."""
        displaced = self.folder / str(switch.displaced)
        if switch.displaced is not None and displaced.is_dir() and not self.path.exists():
            displaced.rename(self.path)
        self._marker.unlink(missing_ok=True)
        if new:
            shutil.rmtree(self.folder / str(switch.to), ignore_errors=True)


def written(path: Path, content: bytes) -> None:
    """Write a file, down to the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def synced(folder: Path) -> None:
    """What was renamed in a folder is so after a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own(path: Path) -> Path:
    """The path behind links that people made; a link to a generation is ours and is left as it is."""
    for _ in range(MOST_LINKS):
        if not path.is_symlink():
            break
        target = path.readlink()
        if target.parent.name == path.name + SUFFIX:
            break
        path = path.parent / target
    return path.parent.resolve() / path.name
