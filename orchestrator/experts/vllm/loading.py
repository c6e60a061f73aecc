"""An adapter between requests: loaded ahead on every server of its base that has room; and where it is loaded."""

from __future__ import annotations

import anyio
import structlog

from orchestrator import clock
from orchestrator.errors import ExpertError
from orchestrator.experts.protocol import Condition
from orchestrator.experts.vllm.adapters import Adapter, Adapters
from orchestrator.experts.vllm.replica import Replica
from orchestrator.experts.vllm.replicas import Replicas

__all__ = ["condition_of", "keep_loaded"]

log = structlog.get_logger()
LOAD_S = 60.0
"""Most seconds to load an adapter ahead of its first request."""
SOON_S = 0.1
"""Until servers that were never probed are looked at again."""


def condition_of(adapter: Adapter, adapters: Adapters, replicas: Replicas) -> Condition:
    """Down where it can be loaded nowhere; else as its servers are, and how many of them have it."""
    condition = replicas.condition
    lacking = [replica for replica in replicas.all if not adapters.has(replica, adapter)]
    if condition.state != "up" or not lacking:
        return condition
    failures = [why for replica in lacking if (why := adapters.failure(replica, adapter))]
    if len(failures) == len(replicas.all):
        return Condition(state="down", reason="; ".join(failures))
    where = f"loaded on {len(replicas.all) - len(lacking)} of {len(replicas.all)} servers"
    return Condition(state="up", reason="; ".join([where, *failures]))


async def keep_loaded(adapter: Adapter, adapters: Adapters, replicas: Replicas, *, every_s: float) -> None:
    """Load it on every server that is well and has room, those that come back included, until cancelled."""
    while True:
        for replica in replicas.all:
            if replica.trouble == "":
                await adapters.look(replica, adapter, every_s=every_s / 2)
                await _load_ahead(adapter, adapters, replica)
        await anyio.sleep(SOON_S if any(replica.trouble is None for replica in replicas.all) else every_s)


async def _load_ahead(adapter: Adapter, adapters: Adapters, replica: Replica) -> None:
    before = adapters.failure(replica, adapter)
    try:
        loaded = await adapters.load_ahead(replica, adapter, clock.now() + LOAD_S)
    except ExpertError as error:
        if str(error) != before:
            log.warning("adapter.not_loaded", expert=adapter.expert, server=replica.shown, error=str(error))
        return
    if loaded:
        log.info("adapter.loaded", expert=adapter.expert, server=replica.shown)
