"""SN40L and two DGX nodes from first principles: where experts no longer fit in fast memory, and what that costs.

After "SambaNova SN40L" (arXiv 2405.07518): 150 Llama2-7B experts of 13.5 GB and a 7B router that stays in HBM; its
links: 1 TB/s from DDR to HBM, 32 and 64 GB/s from a host to its accelerators. Each prompt asks one of N experts with
equal chances; one prompt at a time, so that nothing waits in a queue; LRU.

Computed here: the number of experts that fit, the hit ratio, the seconds of switching and where latency bends. Taken as
given: all bytes and bytes a second. Assumed: running an expert takes, on every node alike, the time to read its weights
from HBM once a token (8 x 1.8 TB/s), so that nodes differ by capacity and switching alone; 640 GB of HBM and 2 TB of
host memory in a DGX; no bytes for the KV cache. Not computed: anything that was measured on hardware.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.fleet.residency.knee import knee
from orchestrator.fleet.residency.policies import Knowledge
from orchestrator.fleet.residency.simulate import Rates, Scenario, simulate
from orchestrator.fleet.residency.tiers import Footprint, Footprints, Link, Tiers
from orchestrator.fleet.residency.traces import Request

__all__ = ["EXPERTS", "NODES", "Curve", "Node", "curve_of"]

EXPERT_BYTES = 13_500_000_000
EXPERTS = 150
OUTPUT_TOKENS = 20
PROMPTS = 4_000
WARM_UP = 1_000
APART_S = 60.0
HBM_BYTES_PER_S = 8 * 1.8e12
DISK = Link(5e9)


@dataclass(frozen=True, slots=True)
class Node:
    """Eight sockets or accelerators. host_bytes: its DDR, or a host's memory."""

    id: str
    name: str
    hbm_bytes: int
    host_bytes: int
    switch_bytes_per_s: float

    @property
    def switch_s(self) -> float:
        """To bring one expert into HBM."""
        return EXPERT_BYTES / self.switch_bytes_per_s

    @property
    def fits(self) -> int:
        """Experts in HBM beside the router."""
        return self.hbm_bytes // EXPERT_BYTES - 1


NODES = (
    Node("sn40l", "SN40L", 8 * 64 * 2**30, 8 * 3 * 2**39, 1e12),
    Node("dgx-a100", "DGX A100", 640 * 10**9, 2 * 10**12, 32e9),
    Node("dgx-h100", "DGX H100", 640 * 10**9, 2 * 10**12, 64e9),
)


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean latency, hit ratio and switch share over the number of experts."""

    node: Node
    experts: tuple[int, ...]
    latency_s: tuple[float, ...]
    hit_ratio: tuple[float, ...]
    switch_share: tuple[float, ...]

    @property
    def knee(self) -> float | None:
        """The number of experts at which latency bends."""
        return knee(self.experts, self.latency_s, side="below")


def curve_of(
    node: Node, counts: Sequence[int], *, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Curve:
    """Replay each number of experts; `progress` is told after each how many are done."""
    outcomes = []
    for done, count in enumerate(counts, start=1):
        outcomes.append(simulate(_scenario(node, count, seed=seed), "lru"))
        if progress is not None:
            progress(done)
    return Curve(
        node=node,
        experts=tuple(counts),
        latency_s=tuple(outcome.mean_s for outcome in outcomes),
        hit_ratio=tuple(outcome.hit_ratio for outcome in outcomes),
        switch_share=tuple(outcome.switch_share for outcome in outcomes),
    )


def _scenario(node: Node, count: int, *, seed: int) -> Scenario:
    chance = random.Random(f"prompts {seed}")  # noqa: S311 - a simulation, no secret
    experts = ["router", *(f"expert-{number:03}" for number in range(count))]
    trace = [
        Request(number * APART_S, output_tokens=OUTPUT_TOKENS, expert=chance.choice(experts[1:]))
        for number in range(PROMPTS)
    ]
    return Scenario(
        trace=trace,
        footprints=Footprints(Footprint(expert, EXPERT_BYTES, EXPERT_BYTES) for expert in experts),
        knowledge=Knowledge(experts),
        tiers=Tiers(node.hbm_bytes, node.host_bytes, Link(node.switch_bytes_per_s), DISK),
        rates=Rates(output_per_s=HBM_BYTES_PER_S / EXPERT_BYTES),
        pinned=frozenset({"router"}),
        warm_up=WARM_UP,
    )
