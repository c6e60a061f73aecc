"""Asks servers how they are and what they have to do, again and again. Control plane: never on the way of a request."""

from __future__ import annotations

import anyio
import httpx
from anyio.abc import TaskStatus

from orchestrator import clock
from orchestrator.experts.vllm.load import LoadReport, read_report
from orchestrator.experts.vllm.replica import Replica
from orchestrator.experts.vllm.replicas import Replicas

__all__ = ["watch"]

_MAX_PAGE_BYTES = 4 * 1024 * 1024
_OK = 200


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
            group.start_soon(_probe, client, replica)


async def _probe(client: httpx.AsyncClient, replica: Replica) -> None:
    trouble = await _trouble(client, replica)
    report = None if trouble else await _report(client, replica)
    now = clock.now()
    replica.probed(trouble, now)
    replica.reported(report, now)


async def _trouble(client: httpx.AsyncClient, replica: Replica) -> str:
    """Why a server is not well, empty where it is. A busy one may be slow to say so: it is asked twice."""
    try:
        try:
            response = await client.get(f"{replica.url}/health")
        except httpx.TimeoutException:
            response = await client.get(f"{replica.url}/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}".rstrip(": ")
    # Other servers of the same API have no /health: one that answers 404 is there.
    return f"/health answers {response.status_code}" if response.is_server_error else ""


async def _report(client: httpx.AsyncClient, replica: Replica) -> LoadReport | None:
    """What a server says about its load; None where it says nothing, which is no trouble."""
    try:
        async with client.stream("GET", f"{replica.url}/metrics") as response:
            if response.status_code != _OK:
                return None
            page = bytearray()
            async for piece in response.aiter_bytes():
                page += piece
                if len(page) > _MAX_PAGE_BYTES:
                    return None
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return read_report(page.decode("utf-8", "replace"))
