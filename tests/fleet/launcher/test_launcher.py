"""Servers that are started, kept running and stopped: real processes, a faked vLLM in each."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil
import pytest

from orchestrator.fleet.launcher import server as server_module
from orchestrator.fleet.launcher.launcher import Launcher, launched
from orchestrator.fleet.launcher.plan import plans_of
from orchestrator.fleet.launcher.server import Change
from orchestrator.testing import FakeVLLM
from tests.fleet.launcher.test_launch_plan import configured
from tests.live import free_ports

pytestmark = pytest.mark.anyio

FAKE = [sys.executable, "-m", "orchestrator.testing.fake_vllm", "serve"]


class Told:
    """What the launcher said, and a way to wait for it."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._news = anyio.Event()

    def __call__(self, change: Change) -> None:
        self.changes.append(change)
        self._news.set()
        self._news = anyio.Event()

    def states(self, name: str) -> list[str]:
        return [change.state for change in self.changes if change.server == name]

    async def until(self, name: str, *states: str) -> Change:
        """Wait until a server has been through these states, in this order."""
        while True:
            seen = iter([change for change in self.changes if change.server == name])
            found = [next((change for change in seen if change.state == state), None) for state in states]
            if found[-1] is not None:
                return found[-1]
            await self._news.wait()


def family(pid: int) -> list[psutil.Process]:
    """The processes of a server's group."""
    return [process for process in psutil.process_iter() if _group(process) == pid]


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None


@asynccontextmanager
async def running(ports: list[int], logs: Path, told: Told, **launch: Any) -> AsyncIterator[Launcher]:
    """One expert a port, each with a server of its own."""
    names = [f"expert{index}" for index in range(len(ports))]
    config = configured(
        {name: {"command": FAKE, "drain_s": 5, "stop_timeout_s": 5, **launch} for name in names},
        **{name: {"model": name, "replicas": [f"http://127.0.0.1:{p}"]} for name, p in zip(names, ports, strict=True)},
    )
    with anyio.fail_after(60):
        async with launched(plans_of(config), logs=logs, told=told) as launcher:
            yield launcher


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and looks that a test need not wait for."""
    monkeypatch.setattr(server_module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(server_module, "PROBE_S", 0.05)
    monkeypatch.setattr(server_module, "WATCH_S", 0.1)


async def test_servers_come_up_answer_and_leave_no_process(tmp_path: Path) -> None:
    """Specified: up waits for health, and stops all on exit."""
    told, ports = Told(), free_ports(2)
    async with running(ports, tmp_path, told) as launcher, httpx.AsyncClient(trust_env=False) as client:
        assert await launcher.up()
        for name, port in zip(("expert0", "expert1"), ports, strict=True):
            models = (await client.get(f"http://127.0.0.1:{port}/v1/models")).json()
            assert [model["id"] for model in models["data"]] == [name]
        pids = [change.pid for change in told.changes if change.state == "healthy" and change.pid is not None]
        assert all(len(family(pid)) == 2 for pid in pids)  # the guardian and its server
    assert [family(pid) for pid in pids] == [[], []]
    assert told.states("expert0") == ["starting", "healthy", "stopping", "stopped"]
    assert "== 20" in (tmp_path / "expert0.log").read_text()


async def test_a_server_that_is_killed_is_started_again_and_the_other_left_alone(tmp_path: Path) -> None:
    """Specified: survives a kill -9 of one."""
    told, ports = Told(), free_ports(2)
    async with running(ports, tmp_path, told) as launcher:
        assert await launcher.up()
        before = await told.until("expert0", "healthy")
        assert before.pid is not None
        (victim,) = psutil.Process(before.pid).children()
        victim.kill()
        waiting = await told.until("expert0", "healthy", "waiting")
        assert "signal 9" in waiting.reason
        after = await told.until("expert0", "healthy", "waiting", "starting", "healthy")
        assert after.pid != before.pid
        assert told.states("expert1") == ["starting", "healthy"]


async def test_a_guardian_that_is_killed_takes_its_server_with_it(tmp_path: Path) -> None:
    """Ours: whichever of the processes is killed, the address is free again for the next one."""
    told = Told()
    async with running(free_ports(1), tmp_path, told) as launcher:
        assert await launcher.up()
        pid = (await told.until("expert0", "healthy")).pid
        assert pid is not None
        psutil.Process(pid).kill()
        await told.until("expert0", "healthy", "waiting", "starting", "healthy")
        assert family(pid) == []


async def test_a_server_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Specified: never touches a server it did not start."""
    told = Told()
    async with FakeVLLM(models=("theirs",)) as stranger:
        async with running([int(stranger.url.rpartition(":")[2])], tmp_path, told) as launcher:
            assert not await launcher.up()
            await launcher.over.wait()
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{stranger.url}/health")).status_code == 200
    (refused,) = told.changes
    assert (refused.state, "it serves theirs" in refused.reason) == ("refused", True)


async def test_a_server_that_cannot_run_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    """Ours: after so many failures in a row; the others would go on."""
    told = Told()
    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    async with running(free_ports(1), tmp_path, told, command=command, restarts=2) as launcher:
        assert not await launcher.up()
        await launcher.over.wait()
    assert told.states("expert0") == ["starting", "waiting", "starting", "waiting", "starting", "given up"]
    assert "no such model" in told.changes[-1].reason


async def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """The reason is in the log's last lines like any other."""
    told = Told()
    async with running(free_ports(1), tmp_path, told, command=["no-such-vllm"], restarts=0) as launcher:
        assert not await launcher.up()
    assert "cannot start 'no-such-vllm'" in told.changes[-1].reason


async def test_stopping_waits_for_the_request_under_way(tmp_path: Path) -> None:
    """Specified: drains."""
    told, (port,) = Told(), free_ports(1)
    answers: list[str] = []
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client, anyio.create_task_group() as group:

        async def ask() -> None:
            body = {"model": "expert0", "messages": [{"role": "user", "content": "hi"}]}
            answer = await client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body)
            answers.append(answer.json()["choices"][0]["finish_reason"])

        async with running([port], tmp_path, told, args=["--first", "1.0"]) as launcher:
            assert await launcher.up()
            group.start_soon(ask)
            while "vllm:num_requests_running{" not in (text := await _metrics(client, port)) or not _running(text):
                await anyio.lowlevel.checkpoint()
    assert answers == ["stop"]


async def _metrics(client: httpx.AsyncClient, port: int) -> str:
    return (await client.get(f"http://127.0.0.1:{port}/metrics")).text


def _running(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.startswith("vllm:num_requests_running{")]
    return any(float(line.rpartition(" ")[2]) > 0 for line in lines)


def test_a_launcher_that_is_killed_leaves_no_server_behind(tmp_path: Path) -> None:
    """Specified: leaves no process behind, however it ends; and Ctrl-C is an end like any other."""
    for how in (signal.SIGKILL, signal.SIGINT):
        (port,) = free_ports(1)
        config = tmp_path / "experts.yaml"
        config.write_text(
            "version: 1\ngeneral: general\n"
            "categories: {general: {description: all, experts: [one]}}\n"
            f"experts: {{one: {{kind: vllm, model: one, replicas: ['http://127.0.0.1:{port}']}}}}\n"
            f"launch: {{one: {{command: {FAKE}, stop_timeout_s: 5}}}}\n"
        )
        command = [sys.executable, "-m", "orchestrator", "up", str(config), "--logs", str(tmp_path), "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            healthy = next(line for line in process.stdout if '"healthy"' in line)
            servers = psutil.Process(process.pid).children(recursive=True)
            assert (len(servers), '"server": "one"' in healthy) == (2, True)
            process.send_signal(how)
            process.wait(20)
        _, alive = psutil.wait_procs(servers, timeout=20)
        assert alive == []
