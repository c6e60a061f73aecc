"""The service as a process of its own, as `orchestrator serve` runs it, for what tries it from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import psutil
import yaml

__all__ = ["Service", "started"]

_START_S = 180.0
_STOP_S = 60.0
_LISTENS = re.compile(r"listens on (http://\S+)")
_READY = "ready after"
_DEFECTS = re.compile(r'"level":\s*"error"|^ERROR |Traceback \(most recent', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Service:
    """The running service. log: all that it said."""

    url: str
    pid: int
    log: Path

    def defects(self) -> int:
        """Errors in its log that are no expert's: each is one of the service itself."""
        return len(_DEFECTS.findall(self.log.read_text(errors="replace")))

    def alive(self) -> bool:
        """Whether its process runs."""
        return psutil.pid_exists(self.pid) and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE


@asynccontextmanager
async def started(folder: Path, config: Mapping[str, Any]) -> AsyncIterator[Service]:
    """The service of this configuration, trained and ready; RuntimeError where it does not start."""
    (folder / "experts.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
    command = [sys.executable, "-m", "orchestrator", "serve", "experts.yaml", "--train", "--port", "0"]
    path = os.pathsep.join(each for each in (str(Path.cwd()), os.environ.get("PYTHONPATH")) if each)
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = folder / "service.log"
    with log.open("wb") as out:
        process = await anyio.open_process(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        with anyio.fail_after(_START_S):
            while _READY not in log.read_text():
                if process.returncode is not None:
                    raise RuntimeError(f"the service did not start:\n{log.read_text()[-2000:]}")
                await anyio.sleep(0.1)
        found = _LISTENS.search(log.read_text())
        yield Service(found[1] if found else "", process.pid, log)
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
            with anyio.move_on_after(_STOP_S):
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()
