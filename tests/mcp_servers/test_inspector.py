"""The MCP Inspector, unchanged, against this product as a server: its command line, over stdio and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.mcp_servers.conftest import FOLDER, Running

PROGRAM = Path("node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
TOOLS = ["ask", "route", "ask_expert", "search", "list_experts", "feedback"]
RESOURCES = ["experts", "categories", "decisions"]
LIMIT_S = 60
TOOL_ERROR = 5
"""Exit status of the Inspector where a tool's result is an error."""

pytestmark = pytest.mark.parametrize("era", ["legacy", "modern"])


class Inspector:
    """Runs the Inspector against one server."""

    def __init__(self, *target: str) -> None:
        self._target = target

    def run(self, method: str, *options: str) -> tuple[int, dict[str, Any]]:
        """One request: the exit status, and what it printed as JSON."""
        command = ["node", str(FOLDER / PROGRAM), "--cli", *self._target, "--method", method, *options]
        done = subprocess.run(
            [*command, "--format", "json"], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.stdout, done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, printed

    def asked(self, method: str, *options: str) -> dict[str, Any]:
        """The result of a request that goes well."""
        status, printed = self.run(method, *options)
        assert status == 0, printed
        result: dict[str, Any] = printed["result"]
        return result


@pytest.fixture(params=["stdio", "http"])
def inspector(request: pytest.FixtureRequest, running: Running) -> Inspector:
    """Of a process that it starts itself, and of the running service."""
    if request.param == "http":
        return Inspector("--transport", "http", "--server-url", f"{running.url}/mcp")
    server = (sys.executable, "-m", "orchestrator", "mcp", str(running.folder / "experts.yaml"))
    ours = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(("HF_", "PYTHON"))]
    return Inspector(*server, *(word for one in ours for word in ("-e", one)))


def test_it_lists_the_tools_and_finds_their_schemas_portable(inspector: Inspector, era: str) -> None:
    """Specified: all of them, and no schema that some client would not take (`--strict`, exit status 6)."""
    tools = inspector.asked("tools/list", "--strict", "--protocol-era", era)["tools"]
    assert [tool["name"] for tool in tools] == TOOLS
    assert all(tool["outputSchema"]["type"] == "object" for tool in tools)


def test_it_asks(inspector: Inspector, era: str) -> None:
    """Specified: the answer as data and as text; the Inspector holds it against the tool's schema."""
    result = inspector.asked("tools/call", "--tool-name", "ask", "--tool-arg", "query=say hello", "--protocol-era", era)
    assert result["structuredContent"]["answer"] == "Echo: say hello"
    assert result["structuredContent"]["expert"] == "echo"
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


def test_it_is_told_of_a_mistake(inspector: Inspector, era: str) -> None:
    """Specified: an error result in plain words, not a failure of the protocol."""
    arguments = json.dumps({"query": "say hello", "modle": "fuse"})
    options = ("--tool-name", "ask", "--tool-args-json", arguments, "--protocol-era", era)
    status, printed = inspector.run("tools/call", *options)
    assert (status, printed["result"]["isError"]) == (TOOL_ERROR, True)
    assert printed["result"]["content"][0]["text"].startswith("Unknown argument 'modle'")


def test_it_lists_and_reads_resources(inspector: Inspector, era: str) -> None:
    """Specified: the lists, the templates, and the JSON behind an address."""
    listed = inspector.asked("resources/list", "--protocol-era", era)["resources"]
    assert [one["uri"] for one in listed] == [f"orchestrator://{name}" for name in RESOURCES]
    uri = "orchestrator://experts/echo"
    (content,) = inspector.asked("resources/read", "--uri", uri, "--protocol-era", era)["contents"]
    assert (content["uri"], content["mimeType"]) == (uri, "application/json")
    assert json.loads(content["text"])["categories"] == ["general"]
