"""The orchestrator as an MCP server, over real stdio, with a real client."""

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from orchestrator.usage.lines import read_usage
from tests.cli.test_verbs import CONFIG, orchestrator

pytestmark = pytest.mark.anyio

SERVER = '''
from mcp.server.mcpserver import MCPServer

server = MCPServer("adder")


@server.tool()
def add(text: str) -> str:
    """Say what was said."""
    return f"you said {text}"


server.run()
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained configuration with one real tool."""
    folder = tmp_path_factory.mktemp("mcp")
    (folder / "server.py").write_text(SERVER, encoding="utf-8")
    working = "server: {command: python, args: [server.py]}, tool: add"
    config = CONFIG.replace("server: {command: no-such-program}, tool: t", working)
    (folder / "experts.yaml").write_text(config + "usage: {file: usage.jsonl}\n", encoding="utf-8")
    assert orchestrator("train", cwd=folder).returncode == 0
    return folder


async def test_an_agent_asks_routes_lists_and_judges(folder: Path) -> None:
    """All tools with typed results; an unknown model is an error that the agent can read."""
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "orchestrator", "mcp", "experts.yaml"], cwd=folder, env=dict(os.environ)
    )
    with anyio.fail_after(90):
        async with Client(parameters) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            answer = await client.call_tool("ask", {"query": "add one and two"})
            route = await client.call_tool("route", {"query": "add one and two"})
            experts = await client.call_tool("list_experts")
            wrong = await client.call_tool("ask", {"query": "hi", "model": "gpt-9"})
            decision = (answer.structured_content or {})["decision"]
            told = await client.call_tool("feedback", {"decision": decision, "rating": "up", "category": "sums"})
            nobody = await client.call_tool("feedback", {"decision": "dec-none", "rating": "up"})
    assert list(tools) == ["ask", "route", "ask_expert", "search", "list_experts", "feedback"]
    assert all(tool.output_schema for tool in tools.values())
    assert answer.structured_content is not None
    assert answer.structured_content["answer"] == "you said add one and two"
    assert answer.structured_content["expert"] == "tool"
    assert route.structured_content is not None
    assert route.structured_content["choose"]["experts"] == ["tool"]
    assert experts.structured_content is not None
    assert [entry["id"] for entry in experts.structured_content["experts"]] == ["tool"]
    assert wrong.is_error
    assert "does not exist" in str(wrong.content)
    assert told.structured_content is not None
    assert (told.structured_content["expert"], told.structured_content["score"]) == ("tool", 1.0)
    assert nobody.is_error
    assert "No decision of that id" in str(nobody.content)
    usage = read_usage(folder / "usage.jsonl")
    assert (list(usage.decisions), usage.corrected()) == ([decision], {decision: "sums"})
    assert usage.scores() == {decision: {"tool": 1.0}}


def test_without_a_router_the_server_says_what_to_do(tmp_path: Path) -> None:
    """One line and exit status 1, no stack trace."""
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "mcp"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "orchestrator train" in done.stderr
    assert "Traceback" not in done.stderr
