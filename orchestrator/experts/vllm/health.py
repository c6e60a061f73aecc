"""Asks servers whether they are well, again and again. Control plane: never on the way of a request."""

from __future__ import annotations

import anyio
import httpx
from anyio.abc import TaskStatus

from orchestrator.experts.vllm.replica import Replica, Replicas

__all__ = ["watch"]


async def watch(replicas: Replicas, *, every_s: float, timeout_s: float, task_status: TaskStatus[None]) -> None:
    """Probe all servers until cancelled; started after the first round, good or bad."""
    async with httpx.AsyncClient(timeout=timeout_s, trust_env=False) as client:
        await _probe_all(client, replicas)
        task_status.started()
        while True:
            await anyio.sleep(every_s)
            await _probe_all(client, replicas)


async def _probe_all(client: httpx.AsyncClient, replicas: Replicas) -> None:
    async with anyio.create_task_group() as group:
        for replica in replicas.all:
            group.start_soon(_probe, client, replicas, replica)


async def _probe(client: httpx.AsyncClient, replicas: Replicas, replica: Replica) -> None:
    try:
        response = await client.get(f"{replica.url}/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        replicas.probed(replica, f"{type(error).__name__}: {error}".rstrip(": "))
        return
    # Other servers of the same API have no /health: one that answers 404 is there.
    replicas.probed(replica, f"/health answers {response.status_code}" if response.is_server_error else "")
