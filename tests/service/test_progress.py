"""How far experts are, told to clients that ask: comments in a stream, notifications to agents."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from orchestrator.errors import ExpertError, ExpertFailed
from orchestrator.testing import ScriptedExpert
from orchestrator.types import ChatRequest, Draft, Emit, Progress
from tests.cli.test_verbs import CONFIG, orchestrator
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "general": ["writer"]}
CHAT = "/v1/chat/completions"
SERVER = '''
import anyio
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("counter")


@server.tool()
async def count(text: str, context: Context) -> dict[str, int]:
    """Counts to three."""
    for step in range(1, 4):
        await context.report_progress(step, 3, f"at {step}")
        await anyio.sleep(0.2)
    return {"counted": 3}


server.run()
'''


class Counting(ScriptedExpert):
    """Tells how far it is before it answers."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        for step in (1, 2):
            if request.report is not None:
                await request.report(Progress(expert=self.id, done=step, total=2, message=f"step {step}"))
        return await super().draft(request, emit)


@pytest.mark.parametrize("script", ["42", ExpertFailed("solver", "broken")])
async def test_a_stream_tells_how_far_its_expert_is(script: str | ExpertError) -> None:
    """Specified: comments before the first chunk; what goes wrong after them is an error event."""
    async with served(Counting("solver", script), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=_body(stream=True, progress=True))
    blocks = response.text.split("\n\n")
    told = [json.loads(block.removeprefix(": progress ")) for block in blocks if block.startswith(": progress ")]
    assert response.status_code == 200
    assert response.headers["x-orchestrator-expert"] == "solver"
    assert told[:2] == [
        {"expert": "solver", "progress": 1, "total": 2, "message": "step 1"},
        {"expert": "solver", "progress": 2, "total": 2, "message": "step 2"},
    ]
    if isinstance(script, str):
        assert blocks[-2] == "data: [DONE]"
    else:
        assert json.loads(blocks[-2].removeprefix("data: "))["error"]["code"] == "expert_failed"


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"progress": True}, {"stream": True, "progress": False}])
async def test_who_does_not_ask_hears_nothing(fields: dict[str, Any]) -> None:
    """Specified: only a stream has a place for it, and experts are not sent the field."""
    solver = Counting("solver", "42")
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=_body(**fields))
    assert ": progress" not in response.text
    assert "progress" not in solver.requests[0].body


async def test_progress_is_a_switch() -> None:
    """Specified: anything but true and false is the caller's mistake."""
    async with served(Counting("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=_body(progress="yes"))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "progress")


async def test_an_agent_hears_the_progress_of_a_tool(tmp_path: Path) -> None:
    """Specified: from the tool's server through this one, to the agent; and the data of the result with it.

    While the engine loads the agent hears of that; each number is larger than the one before.
    """
    (tmp_path / "server.py").write_text(SERVER)
    working = "server: {command: python, args: [server.py]}, tool: count"
    (tmp_path / "experts.yaml").write_text(CONFIG.replace("server: {command: no-such-program}, tool: t", working))
    assert orchestrator("train", cwd=tmp_path).returncode == 0
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "orchestrator", "mcp", "experts.yaml"], cwd=tmp_path, env=dict(os.environ)
    )
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    with anyio.fail_after(90):
        async with Client(parameters) as client:
            arguments = {"query": "add one and two", "model": "tool"}
            answer = await client.call_tool("ask", arguments, progress_callback=hear)
    assert not answer.is_error, answer.content
    assert (answer.structured_content or {})["structured"] == {"counted": 3}
    by_tool = [words for _, _, words in told if words != "orchestrator: loading"]
    assert by_tool
    assert set(by_tool) <= {"tool: at 1", "tool: at 2", "tool: at 3"}
    assert all(before[0] < after[0] for before, after in pairwise(told))
    assert told[-1][1] is not None


def _body(**fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": "math"}], **fields}
