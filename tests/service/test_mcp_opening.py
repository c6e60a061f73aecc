"""Agents that are greeted before there is anything to ask: their calls wait, hear how long, and learn of failures."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from orchestrator.service.mcp import create_server
from orchestrator.service.mcp_server import Surface
from orchestrator.testing import ScriptedExpert
from orchestrator.types import ChatRequest, Draft, Emit, Progress
from routers.errors import ArtifactError
from tests.flowing import config_of, flowing

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "general": ["solver"]}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("ask", {"query": "math"}),
    ("route", {"query": "math"}),
    ("ask_expert", {"query": "math", "expert": "solver"}),
    ("search", {"query": "math"}),
    ("list_experts", {}),
    ("feedback", {"decision": "d", "rating": "up"}),
]
Source = Callable[[], AbstractAsyncContextManager[Surface]]


class Stepping(ScriptedExpert):
    """Tells of two steps before it answers."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        for step in (1, 2):
            if request.report is not None:
                await request.report(Progress(expert=self.id, done=step, total=2))
        return await super().draft(request, emit)


@asynccontextmanager
async def agent(source: Source, *, deadline_s: float = 30) -> AsyncIterator[Client]:
    """A connected client of a server that opens this."""
    config = config_of(["solver"], categories=CATEGORIES, budget={"deadline_s": deadline_s})
    with anyio.fail_after(30):
        async with Client(create_server(config, source)) as client:
            yield client


def opened_after(release: anyio.Event) -> Source:
    """What opens over one expert once it is released."""

    @asynccontextmanager
    async def source() -> AsyncIterator[Surface]:
        await release.wait()
        async with flowing(Stepping("solver", "42"), categories=CATEGORIES) as engine:
            yield Surface(engine=engine, note=engine.keep)

    return source


def failing(error: Exception) -> Source:
    @asynccontextmanager
    async def source() -> AsyncIterator[Surface]:
        raise error
        yield

    return source


@pytest.mark.parametrize("tool", ["ask", "ask_expert"])
async def test_a_call_waits_and_hears_of_it(tool: str) -> None:
    """Specified: tools are listed at once; the call's progress begins with the loading, and every number is larger."""
    release = anyio.Event()
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))
        release.set()

    async with agent(opened_after(release)) as client:
        assert len((await client.list_tools()).tools) == len(CALLS)
        assert len((await client.list_resources()).resources) == 3
        result = await client.call_tool(tool, dict(CALLS)[tool], progress_callback=hear)
    assert (result.structured_content or {})["answer"] == "42"
    assert [message for _, _, message in told] == ["orchestrator: loading", "solver", "solver"]
    assert all(before[0] < after[0] for before, after in pairwise(told))


@pytest.mark.parametrize(("tool", "arguments"), CALLS)
async def test_a_call_does_not_wait_for_ever(tool: str, arguments: dict[str, Any]) -> None:
    """Specified: an error result after `budget.deadline_s` that says what to do."""
    async with agent(opened_after(anyio.Event()), deadline_s=0.01) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert "is not ready; ask again" in str(result.content)


async def test_a_resource_waits_too() -> None:
    """Specified: an error of the protocol, since a resource has no result that could say so."""
    async with agent(opened_after(anyio.Event()), deadline_s=0.01) as client:
        with pytest.raises(MCPError, match="is not ready"):
            await client.read_resource("orchestrator://experts")


async def test_an_agent_reads_why_it_cannot_be_opened() -> None:
    """Specified: every call says it; at the end of the connection the error is whoever runs the server's."""
    results = []
    with pytest.raises(ArtifactError, match="orchestrator train"):
        async with agent(failing(ArtifactError("run 'orchestrator train'"))) as client:
            results = [await client.call_tool(tool, arguments) for tool, arguments in CALLS]
    assert [result.is_error for result in results] == [True] * len(CALLS)
    assert {result.content[0].text for result in results} == {"run 'orchestrator train'"}  # type: ignore[union-attr]
