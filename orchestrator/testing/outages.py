"""Servers that go and come back: outages one after the other, by a plan or by chance."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import anyio

from orchestrator.testing.fake_vllm.server import FakeVLLM
from orchestrator.testing.faults import Slow

__all__ = ["Outage", "OutageKind", "chance_outages", "suffer"]

OutageKind = Literal["kill", "refuse", "sick", "slow-health"]
_KINDS: tuple[OutageKind, ...] = ("kill", "refuse", "sick", "slow-health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Some time without trouble, then some time with it.

    kind: `kill` resets every connection and forgets what the process knew; `refuse` only closes the port and its
    connections; `sick` answers `/health` with 503; `slow-health` takes longer over it than anybody waits.
    """

    kind: OutageKind = "kill"
    after_s: float = 1.0
    for_s: float = 1.0


def chance_outages(
    *, up_s: float, down_s: float, kinds: tuple[OutageKind, ...] = _KINDS, seed: int = 0
) -> Iterator[Outage]:
    """Outages without end, with these means of seconds between them and in them; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - chance for tests, to be repeated
    while True:
        kind = chance.choice(kinds)
        yield Outage(kind=kind, after_s=chance.expovariate(1 / up_s), for_s=chance.expovariate(1 / down_s))


async def suffer(server: FakeVLLM, outages: Iterable[Outage]) -> None:
    """Let a server have these outages; whether they end or the caller cancels, it is well afterwards."""
    for outage in outages:
        await anyio.sleep(outage.after_s)
        try:
            await _strike(server, outage.kind)
            await anyio.sleep(outage.for_s)
        finally:
            with anyio.CancelScope(shield=True):
                await _heal(server, outage.kind)


async def _strike(server: FakeVLLM, kind: OutageKind) -> None:
    match kind:
        case "kill":
            await server.kill()
        case "refuse":
            await server.refuse()
        case "sick":
            server.health = 503
        case "slow-health":
            server.fault_at["/health"] = Slow(seconds=3600)


async def _heal(server: FakeVLLM, kind: OutageKind) -> None:
    match kind:
        case "kill" | "refuse":
            await server.listen()
        case "sick":
            server.health = 200
        case "slow-health":
            server.fault_at.pop("/health", None)
