"""One server's life: start, wait for health, watch, start again with growing pauses, give up, stop.

Never touches a server that it did not start: where somebody answers already, it says who, and leaves it alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx

from orchestrator.fleet.launcher.plan import ServerPlan
from orchestrator.fleet.launcher.process import Process

__all__ = ["Change", "LaunchedServer", "State"]

State = Literal["starting", "healthy", "waiting", "refused", "given up", "stopping", "stopped"]

FIRST_PAUSE_S, MOST_PAUSE_S = 1.0, 60.0
JITTER = 0.2
STABLE_S = 60.0
"""A server that was healthy for so long starts over: the failures before it are forgotten."""
PROBE_S = 0.5
WATCH_S = 5.0
HUNG_S = 60.0
"""A server whose /health has not answered for so long, though it was healthy once, is started again."""
PROBE_TIMEOUT_S = 5.0
_UNDER_WAY = ("vllm:num_requests_running{", "vllm:num_requests_waiting{")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A server's new state. reason: why, empty where the state says it all. pid: of its process group, None without."""

    server: str
    state: State
    reason: str
    pid: int | None
    log: Path


class LaunchedServer:
    """Keeps the server of one plan running. told: called with every change of its state."""

    def __init__(self, plan: ServerPlan, *, logs: Path, told: Callable[[Change], None]) -> None:
        self.plan = plan
        self.state: State = "stopped"
        self.healthy = anyio.Event()
        """Set once it has been healthy, or never will be."""
        self._log = logs / f"{plan.name}.log"
        self._told = told
        self._process: Process | None = None
        self._failures = 0

    async def run(self) -> None:
        """Keep it running until cancelled, or until it is given up; then it has been stopped."""
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False) as client:
            try:
                await self._keep_running(client)
            finally:
                self.healthy.set()
                await self._stop(client)

    async def _keep_running(self, client: httpx.AsyncClient) -> None:
        while True:
            if stranger := await _who_answers(client, self.plan):
                self._tell(
                    "refused", f"somebody else's server answers at {self.plan.url} ({stranger}); it is left alone"
                )
                return
            reason = await self._one_life(client)
            self._failures += 1
            if self._failures > self.plan.launch.restarts:
                self._tell("given up", f"{reason}; {self._failures} failures in a row")
                return
            pause_s = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self._failures - 1))
            pause_s *= 1 + JITTER * random.random()  # noqa: S311 - no secret
            self._tell("waiting", f"{reason}; starts again in {pause_s:.1f} s")
            await anyio.sleep(pause_s)

    async def _one_life(self, client: httpx.AsyncClient) -> str:
        """Start it and watch it; returns why it ended."""
        plan = self.plan
        try:
            self._process = process = Process(
                plan.command, environment=plan.environment, log=self._log, stop_s=plan.launch.stop_timeout_s
            )
        except OSError as error:
            return f"cannot be started: {error}"
        self._tell("starting")
        reasons: list[str] = []

        async def until(ended: Coroutine[Any, Any, str]) -> None:
            reasons.append(await ended)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(until, self._exit(process))
            group.start_soon(until, self._health(client))
        if process.status is None:
            await process.stop()
        self._process = None
        return reasons[0]

    async def _exit(self, process: Process) -> str:
        status = await process.ended()
        said = process.said()
        how = f"signal {status - 128}" if status > 128 else f"exit status {status}"  # noqa: PLR2004 - as shells have it
        return f"it ended ({how})" + (f", saying:\n{said}" if said else "")

    async def _health(self, client: httpx.AsyncClient) -> str:
        """Wait for its health, then for the end of it."""
        with anyio.move_on_after(self.plan.launch.start_timeout_s) as starting:
            while not await _is_well(client, self.plan):  # noqa: ASYNC110 - another process
                await anyio.sleep(PROBE_S)
        if starting.cancelled_caught:
            return f"not healthy within {self.plan.launch.start_timeout_s:g} s"
        since = seen = anyio.current_time()
        self._tell("healthy")
        self.healthy.set()
        while anyio.current_time() - seen < HUNG_S:
            await anyio.sleep(WATCH_S)
            if await _is_well(client, self.plan):
                seen = anyio.current_time()
            if seen - since > STABLE_S:
                self._failures = 0
        return f"its /health has not answered for {HUNG_S:g} s"

    async def _stop(self, client: httpx.AsyncClient) -> None:
        """Let it finish what it has to do, then end it; nothing of this waits for ever."""
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            self._tell("stopping")
            with anyio.move_on_after(self.plan.launch.drain_s):
                while process.status is None and await _is_busy(client, self.plan):  # noqa: ASYNC110 - the same
                    await anyio.sleep(PROBE_S)
            await process.stop()
            self._tell("stopped")

    def _tell(self, state: State, reason: str = "") -> None:
        self.state = state
        pid = None if self._process is None else self._process.pid
        self._told(Change(server=self.plan.name, state=state, reason=reason, pid=pid, log=self._log))


async def _is_well(client: httpx.AsyncClient, plan: ServerPlan) -> bool:
    try:
        return (await client.get(f"{plan.url}/health")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def _is_busy(client: httpx.AsyncClient, plan: ServerPlan) -> bool:
    """Whether requests are under way there; false where it does not say."""
    try:
        text = (await client.get(f"{plan.url}/metrics")).text
    except httpx.HTTPError:
        return False
    counts = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(_UNDER_WAY)]
    return any(count not in {"0", "0.0"} for count in counts)


async def _who_answers(client: httpx.AsyncClient, plan: ServerPlan) -> str:
    """What is at the address already; empty where nothing is."""
    try:
        with anyio.fail_after(PROBE_TIMEOUT_S):
            stream = await anyio.connect_tcp(plan.host, plan.port)
            await stream.aclose()
    except (OSError, TimeoutError):
        return ""
    try:
        response = await client.get(f"{plan.url}/v1/models")
        served = ", ".join(str(model["id"]) for model in response.json()["data"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return "it is no model server"
    return f"it serves {served}"
