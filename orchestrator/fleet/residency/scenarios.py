"""From a trace, and a configuration where there is one, to what a replay needs: experts, bytes, chains and sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigError
from orchestrator.fleet.residency.configured import follows_of, footprints_of, pinned_of
from orchestrator.fleet.residency.policies import Knowledge
from orchestrator.fleet.residency.simulate import Scenario
from orchestrator.fleet.residency.tiers import Footprint, Footprints, Tiers
from orchestrator.fleet.residency.traces import Request
from orchestrator.fleet.residency.workload import Workload, assigned, invented_chains, shuffled

if TYPE_CHECKING:
    from orchestrator.config import Config

__all__ = ["scenario_of"]


def scenario_of(
    trace: Sequence[Request],
    config: Config | None,
    *,
    tiers: Tiers,
    experts: int,
    expert_bytes: int,
    adapter_bytes: int,
    pin: Iterable[str] = (),
    seed: int = 0,
    shuffle: bool = False,
) -> Scenario:
    """The scenario, with everything that is not given here at its default.

    experts: how many, where neither the trace nor a configuration names any.

    Raises:
        ConfigError: the trace names experts only here and there, or an expert to be pinned is none.

    """
    named = {request.expert for request in trace}
    if "" in named and len(named) > 1:
        raise ConfigError(["the trace names an expert in some requests only"])
    footprints, follows = _experts(config, named, count=experts, sizes=(expert_bytes, adapter_bytes), seed=seed)
    pinned = frozenset(pin) | (pinned_of(config) if config is not None else frozenset())
    unknown = sorted(pinned - footprints.keys())
    if unknown:
        raise ConfigError([f"{unknown[0]!r} is no expert and cannot be pinned"])
    requests = list(trace)
    if "" in named:
        sharing = [expert for expert in footprints if footprints.bytes_of([expert])]
        requests = assigned(trace, Workload(sharing, follows, seed=seed))
    if shuffle:
        requests = shuffled(requests, seed=seed)
    knowledge = Knowledge(tuple(footprints), follows, [request.expert for request in requests])
    return Scenario(trace=requests, footprints=footprints, knowledge=knowledge, tiers=tiers, pinned=pinned)


def _experts(
    config: Config | None, named: set[str], *, count: int, sizes: tuple[int, int], seed: int
) -> tuple[Footprints, dict[str, frozenset[str]]]:
    """Footprints, and by subsequent expert its preliminaries, which are invented only where the experts are."""
    expert_bytes, adapter_bytes = sizes
    if config is not None:
        return footprints_of(config, expert_bytes=expert_bytes, adapter_bytes=adapter_bytes), follows_of(config)
    if "" not in named:
        return Footprints(Footprint(expert, expert_bytes, expert_bytes) for expert in sorted(named)), {}
    experts = [f"expert-{number:03}" for number in range(1, count + 1)]
    invented = Footprints(Footprint(expert, expert_bytes, expert_bytes) for expert in experts)
    return invented, invented_chains(experts, seed=seed)
