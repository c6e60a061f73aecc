"""One server's process: started in a session of its own, its output in a file, ended with all its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio

from orchestrator.fleet.launcher import guardian

__all__ = ["Process"]

_LOOK_S = 0.1
_GRACE_S = 5.0
MOST_LOG_BYTES = 50 * 1024 * 1024
_TAIL_BYTES = 8192


class Process:
    """A command that runs, behind a guardian (`orchestrator.fleet.launcher.guardian`).

    log: appended to; one that has become too long is put aside as `NAME.1` first. stop_s: see the guardian.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, stop_s: float) -> None:
        self.log = log
        self._stop_s = stop_s
        _put_aside(log)
        with log.open("ab") as output:
            output.write(f"== {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {' '.join(command)}\n".encode())
            output.flush()
            self._from = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", guardian.__file__, str(stop_s), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, above 128 for a signal; None while it runs."""
        return self._process.poll()

    async def ended(self) -> int:
        """Wait for the end; the exit status."""
        while (status := self.status) is None:  # noqa: ASYNC110 - the end of a process sets no event
            await anyio.sleep(_LOOK_S)
        self._sweep()
        return status

    async def stop(self) -> int:
        """Tell it to end, and see that it does; shielded from cancellation, bounded in time."""
        with anyio.CancelScope(shield=True):
            if self.status is None:
                self._process.terminate()
                with anyio.move_on_after(self._stop_s + _GRACE_S):
                    await self.ended()
        return self.kill()

    def kill(self) -> int:
        """End it now, children included."""
        self._sweep()
        return self._process.wait()

    def said(self, lines: int = 5) -> str:
        """The last lines of its log since it was started."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._from, end - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def _sweep(self) -> None:
        """What is left of the group that the guardian led."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()


def _put_aside(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.is_file() and log.stat().st_size > MOST_LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
