"""What the soak runs on: the service as a process of its own, before faked model servers that are killed by chance."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import yaml

from orchestrator.testing import FAULTS, FakeProcess, Outage

__all__ = ["Service", "faulty_servers", "serving", "suffer_kills"]

_START_S = 180.0
_STOP_S = 60.0
_LISTENS = re.compile(r"listens on (http://\S+)")
_READY = "ready after"
_DEFECTS = re.compile(r'"level":\s*"error"|^ERROR |^Traceback', re.MULTILINE)
_SILENCE_S = 2.0
"""Of a server, after which it is given up; `slow` is shorter."""


@dataclass(frozen=True, slots=True)
class Service:
    """The running service. log: all that it said."""

    url: str
    pid: int
    log: Path

    def defects(self) -> int:
        """Errors in its log that are no expert's: each is one of the service itself."""
        return len(_DEFECTS.findall(self.log.read_text()))


def faulty_servers(names: Sequence[str], *, share: float, tokens: int, pace_s: float, seed: int) -> list[FakeProcess]:
    """Servers of the model `m`, which number their tokens. share: of requests that meet a fault, each kind as often."""
    faults = [argument for name in FAULTS for argument in ("--fault", f"{name}:{share / len(FAULTS)}")]
    common = ["--model", "m", "--tokens", str(tokens), "--pace", str(pace_s), *faults]
    return [FakeProcess(*common, "--name", name, "--seed", str(seed + place)) for place, name in enumerate(names)]


async def suffer_kills(server: FakeProcess, outages: Iterable[Outage], killed: list[float]) -> None:
    """Kill the server and start it again, without end. killed: when, on anyio's clock."""
    for outage in outages:
        await anyio.sleep(outage.after_s)
        killed.append(anyio.current_time())
        await server.kill()
        await anyio.sleep(outage.for_s)
        await server.start()


@asynccontextmanager
async def serving(folder: Path, replicas: Sequence[str], *, deadline_s: float) -> AsyncIterator[Service]:
    """The service before these servers, as `orchestrator serve` runs it; RuntimeError where it does not start."""
    (folder / "experts.yaml").write_text(yaml.safe_dump(_config(replicas, deadline_s=deadline_s)))
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


def _config(replicas: Sequence[str], *, deadline_s: float) -> dict[str, Any]:
    """One expert on all servers. What the service remembers is little, so that it is full when the warm-up is over."""
    crew = {"kind": "vllm", "model": "m", "replicas": [*replicas], "connect_timeout_s": 1.0}
    crew |= {"first_token_timeout_s": _SILENCE_S, "read_timeout_s": _SILENCE_S}
    categories = dict(_categories())
    return {
        "version": 1,
        "categories": categories,
        "general": "general",
        "experts": {"crew": crew},
        "routing": {"cache": 500},
        "budget": {"deadline_s": deadline_s},
    }


def _categories() -> Iterator[tuple[str, dict[str, Any]]]:
    examples = {"math": ["solve for x", "17% of 4310"], "general": ["tell a story", "who won"]}
    for name, texts in examples.items():
        yield name, {"description": name, "examples": texts, "experts": ["crew"]}
