"""Two servers in one process: the end of one is nothing to the streams of the other."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from sse_starlette.sse import AppStatus

from orchestrator.engine import Engine
from orchestrator.service.app import create_app
from orchestrator.service.server import Server
from orchestrator.testing import Reply, ScriptedExpert
from tests.flowing import flowing
from tests.service.agents import MODES, agent, called
from tests.service.test_server import running

pytestmark = pytest.mark.anyio

ALONE = {"math": ["solver"], "general": ["solver"]}
POLLED_S = 1.2
"""The library of event streams looks every half second whether a server of the process is to end."""


@asynccontextmanager
async def service(solver: ScriptedExpert) -> AsyncIterator[tuple[Server, str]]:
    """One of the servers, and its address."""
    async with flowing(solver, categories=ALONE) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with running(create_app(engine.config, there), drain_s=1000) as (server, port):
            yield server, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_told_twice_ends_alone(mode: str, told: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Specified: its own streams are cut; an agent's call of the other is answered, and so is the next one."""
    monkeypatch.setattr(AppStatus, "should_exit", False)  # of the process: other tests must not see it changed
    staying = ScriptedExpert("solver", Reply(pieces=("42",), before=(release := anyio.Event())), "43")
    leaving = ScriptedExpert("solver", Reply(pieces=("41",), before=anyio.Event()))
    answers: list[Any] = []
    cut: list[Exception] = []

    async def lost(url: str) -> None:
        try:
            async with agent(url, mode) as client:
                await client.call_tool("ask", {"query": "math"})
        except Exception as error:  # noqa: BLE001 - whatever the client makes of a server that goes
            cut.append(error)

    async with service(staying) as (_, url), agent(url, mode) as client, anyio.create_task_group() as group:

        async def ask() -> None:
            answers.append(await called(client, "ask", query="math"))

        await client.list_tools()
        group.start_soon(ask)
        await staying.asked.wait()
        async with service(leaving) as (server, other):
            group.start_soon(lost, other)
            await leaving.asked.wait()
            for _ in range(2):
                server.handle_exit(told, None)
            server._captured_signals.clear()  # uvicorn would raise them in this process afterwards
            await anyio.sleep(POLLED_S)
        assert staying.running == 1
        assert not AppStatus.should_exit
        release.set()
        while not answers:  # noqa: ASYNC110 - within the client's own deadline
            await anyio.sleep(0.01)
        answers.append(await called(client, "ask", query="math"))
    assert [answer["answer"] for answer in answers] == ["42", "43"]
    assert leaving.cancelled == 1
