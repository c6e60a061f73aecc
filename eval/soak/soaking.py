"""The soak itself: clients that stream without pause from a service whose servers fail, for a given time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio

from eval.serving import Service
from eval.soak.asking import Client
from eval.soak.ground import faulty_servers, serving, suffer_kills
from eval.soak.tally import Tally
from eval.soak.vitals import Vitals
from orchestrator.testing import chance_outages

__all__ = ["Plan", "Soaked", "soak"]

_NAMES = ("a", "b", "c")
_GRACE_S = 3.0
"""Beyond the deadline, for a machine that is busy: later is a hang."""
_AFTER_REFUSAL_S = 1.0
"""A client that was refused waits, as real ones do; else most of all requests would be those of a few seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to soak.

    seconds: of load, of which `warm_up_s` come before memory and sockets are looked at. share: of requests at each
    server that meet a fault. tokens, pace_s: of an answer. up_s, down_s: means of a server's time between two kills,
    and of the time until it is started again.
    """

    seconds: float
    warm_up_s: float
    clients: int = 64
    seed: int = 0
    share: float = 0.05
    tokens: int = 20
    pace_s: float = 0.05
    up_s: float = 30.0
    down_s: float = 3.0
    deadline_s: float = 10.0
    sample_s: float = 1.0


@dataclass(slots=True)
class Soaked:
    """What came of it. killed: when a server was, on anyio's clock. connections: that the clients opened.

    measured_from: the end of the warm-up, on anyio's clock. defects: of the service, in its log.
    """

    plan: Plan
    tally: Tally = field(default_factory=Tally)
    vitals: Vitals = field(default_factory=lambda: Vitals(0))
    killed: list[float] = field(default_factory=list)
    connections: int = 0
    measured_from: float = 0.0
    defects: int = 0


async def soak(plan: Plan, folder: Path, *, tell: Callable[[float, Soaked], None]) -> Soaked:
    """Start servers and service in this folder, let the clients loose, and stop all of it.

    tell: called about once a second with the seconds so far.

    Raises:
        RuntimeError: the service does not start.
    """
    servers = faulty_servers(_NAMES, share=plan.share, tokens=plan.tokens, pace_s=plan.pace_s, seed=plan.seed)
    soaked = Soaked(plan)
    async with AsyncExitStack() as stack:
        replicas = [(await stack.enter_async_context(server)).url for server in servers]
        service = await stack.enter_async_context(serving(folder, replicas, deadline_s=plan.deadline_s))
        soaked.vitals = Vitals(service.pid)
        async with anyio.create_task_group() as background:
            background.start_soon(partial(soaked.vitals.watch, every_s=plan.sample_s))
            for place, server in enumerate(servers):
                outages = chance_outages(up_s=plan.up_s, down_s=plan.down_s, kinds=("kill",), seed=plan.seed + place)
                background.start_soon(suffer_kills, server, outages, soaked.killed)
            await _load(plan, service, soaked, tell)
            background.cancel_scope.cancel()
        soaked.defects = service.defects()
    return soaked


async def _load(plan: Plan, service: Service, soaked: Soaked, tell: Callable[[float, Soaked], None]) -> None:
    """All clients until the time is over; each ends the stream that it has."""
    started = anyio.current_time()
    soaked.measured_from = started + plan.warm_up_s
    until = started + plan.seconds
    async with anyio.create_task_group() as clock, anyio.create_task_group() as clients:
        for number in range(plan.clients):
            clients.start_soon(_stream, plan, service.url, number, until, soaked)
        clock.start_soon(_told, started, until, soaked, tell)


async def _stream(plan: Plan, url: str, number: int, until: float, soaked: Soaked) -> None:
    client = Client(url)
    asked = 0
    while anyio.current_time() < until:
        asked += 1
        outcome = await client.ask(f"c{number}-{asked}", within_s=plan.deadline_s + _GRACE_S)
        soaked.tally.add(outcome)
        if outcome.kind in {"refused", "bad"}:
            await anyio.sleep(_AFTER_REFUSAL_S)
    soaked.connections += client.connections
    client.leave()


async def _told(started: float, until: float, soaked: Soaked, tell: Callable[[float, Soaked], None]) -> None:
    while (now := anyio.current_time()) < until:
        tell(now - started, soaked)
        await anyio.sleep(min(1.0, until - now))
    tell(until - started, soaked)
