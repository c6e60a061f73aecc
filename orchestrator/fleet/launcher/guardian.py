"""Stands between `orchestrator up` and one server, so that the server never outlives it, however it ends.

    python guardian.py STOP_S COMMAND...

Leads a process group of its own, in which the server and all its children are. Its standard input is a pipe that the
launcher holds open: when that closes, because the launcher died, the group is told to end and killed after STOP_S
seconds. Standard library only: one runs beside every server.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

__all__ = ["main"]

_LOOK_S = 0.2
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the command; its exit status, 128 + signal as shells have it."""
    stop_s, command = float(sys.argv[1]), sys.argv[2:]
    asked = False

    def ask(_: int, __: FrameType | None) -> None:
        nonlocal asked
        asked = True

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides: a terminal's interrupt reaches it as well
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: PLW1509
    except OSError as error:
        print(f"cannot start {command[0]!r}: {error.strerror}", file=sys.stderr)  # noqa: T201 - the server's log
        return 127
    while server.poll() is None and not asked and not _launcher_gone():
        pass
    if server.poll() is None:
        _end(server, stop_s)
    _kill_group()
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _launcher_gone() -> bool:
    """Whether the pipe has been closed; waits a moment for that."""
    try:
        ready, _, _ = select.select([0], [], [], _LOOK_S)
        return bool(ready) and not os.read(0, 1)
    except OSError:
        return True


def _end(server: subprocess.Popen[bytes], stop_s: float) -> None:
    until = time.monotonic() + stop_s
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(max(0.0, until - time.monotonic()))
    if server.poll() is None:
        server.kill()
        server.wait()


def _kill_group() -> None:
    """End what the server leaves behind in the group, but not the one who does it."""
    me = os.getpid()
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH208, PTH112 - light imports
        if not entry.isdigit() or int(entry) == me:
            continue
        with suppress(OSError):
            if os.getpgid(int(entry)) == me:
                os.kill(int(entry), signal.SIGKILL)


def _die_with_parent() -> None:
    """In the server's process, before it becomes the server: end with this guardian (Linux), should it be killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
