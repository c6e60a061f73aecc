"""Databases for tests: a SQLite file, and a real Postgres of this run's own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

__all__ = ["Postgres", "postgres_folder"]

START_S = 30.0
_OWNER: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
"""Postgres refuses to be root."""


def postgres_folder() -> Path | None:
    """Where Postgres' programs are; None where there are none."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


class Postgres:
    """A server on a port of its own, its files in a folder that is given; inside `with`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        return f"postgresql://store@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        if _OWNER:
            owner = pwd.getpwnam("nobody")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            for parent in self._folder.parents:
                if parent.owner() == "root" and "pytest" in parent.name:
                    parent.chmod(0o755)
        subprocess.run(
            [self._programs / "initdb", "-D", self._folder / "data", "-U", "store", "-A", "trust", "-N"],
            check=True,
            capture_output=True,
            **_OWNER,
        )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(signal.SIGQUIT)

    def start(self) -> None:
        """Run it, and wait until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories= -p {self.port} -c fsync=off"
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._folder / "data", *options.split()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_OWNER,
        )
        limit = time.monotonic() + START_S
        while time.monotonic() < limit:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("Postgres does not start")

    def kill(self, with_signal: int = signal.SIGQUIT) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(timeout=START_S)
            self._process = None
