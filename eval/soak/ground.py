"""What the soak runs on: the service as a process of its own, before faked model servers that are killed by chance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio

from eval.serving import Service, started
from orchestrator.testing import FAULTS, FakeProcess, Outage

__all__ = ["faulty_servers", "serving", "suffer_kills"]

_SILENCE_S = 2.0
"""Of a server, after which it is given up; `slow` is shorter."""


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


def serving(folder: Path, replicas: Sequence[str], *, deadline_s: float) -> AbstractAsyncContextManager[Service]:
    """The service before these servers, as `orchestrator serve` runs it; RuntimeError where it does not start."""
    return started(folder, _config(replicas, deadline_s=deadline_s))


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
