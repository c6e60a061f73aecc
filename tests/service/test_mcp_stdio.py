"""A real `orchestrator mcp` process, spoken with line by line: how it begins, what it answers, and how it ends."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.test_verbs import CONFIG, orchestrator

LIMIT_S = 60
PARSE, INVALID, METHOD, PARAMS = -32700, -32600, -32601, -32602
TOOLS = ["ask", "route", "ask_expert", "search", "list_experts", "feedback"]
SERVER = '''
import anyio
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("adder")


@server.tool()
async def add(text: str, context: Context) -> str:
    """Says what was said; of some things never."""
    if "never" in text:
        await context.report_progress(1, 2, "at work")
        await anyio.sleep_forever()
    return f"you said {text}"


server.run()
'''
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "0"}}
MODERN = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
    }
}


class Agent:
    """Speaks with one process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "orchestrator", "mcp", "experts.yaml"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=folder, bufsize=0, **pipes)  # type: ignore[call-overload]
        self.lines: list[dict[str, Any]] = []
        """Everything that came on stdout; a line that is no JSON fails the test."""

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)

    def request(self, number: int, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.send(json.dumps(message).encode() + b"\n")

    def received(self) -> dict[str, Any]:
        """The next line of stdout."""
        line = json.loads(self._line(self.process.stdout))
        assert line["jsonrpc"] == "2.0"
        self.lines.append(line)
        return dict(line)

    def answered(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request; what comes before it is not for others."""
        self.request(number, method, **params)
        while (line := self.received()).get("id") != number:
            pass
        return line

    def greeted(self) -> dict[str, Any]:
        result: dict[str, Any] = self.answered(0, "initialize", **HELLO)["result"]
        self.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        return result

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """The exit status, what else came on stdout, and on stderr, once the process has ended."""
        out, log = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], log.decode()

    def _line(self, stream: Any) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            assert selector.select(LIMIT_S), "nothing came"
        line: bytes = stream.readline()
        assert line, "the process has ended"
        return line


@contextmanager
def connected(folder: Path) -> Iterator[Agent]:
    agent = Agent(folder)
    try:
        yield agent
    finally:
        agent.process.kill()
        agent.process.communicate(timeout=LIMIT_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained configuration with one real tool."""
    folder = tmp_path_factory.mktemp("stdio")
    (folder / "server.py").write_text(SERVER, encoding="utf-8")
    working = "server: {command: python, args: [server.py]}, tool: add"
    config = CONFIG.replace("server: {command: no-such-program}, tool: t", working)
    (folder / "experts.yaml").write_text(config + "serve: {max_body_bytes: 200000}\n", encoding="utf-8")
    assert orchestrator("train", cwd=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def greeted(folder: Path) -> Iterator[Agent]:
    """One process for all tests that leave it running."""
    with connected(folder) as agent:
        agent.greeted()
        yield agent


def interrupt(agent: Agent) -> None:
    agent.process.send_signal(signal.SIGINT)


def terminate(agent: Agent) -> None:
    agent.process.send_signal(signal.SIGTERM)


def hang_up(agent: Agent) -> None:
    assert agent.process.stdin is not None
    agent.process.stdin.close()
    agent.process.stdin = None


WAYS = pytest.mark.parametrize("stop", [terminate, interrupt, hang_up])


@WAYS
def test_an_agent_is_served_and_the_end_is_clean(folder: Path, stop: Callable[[Agent], None]) -> None:
    """Specified: greeted, told the tools, answered; then exit status 0 and not a word more."""
    with connected(folder) as agent:
        hello = agent.greeted()
        tools = agent.answered(1, "tools/list")["result"]["tools"]
        answer = agent.answered(2, "tools/call", name="ask", arguments={"query": "add one and two"})["result"]
        stop(agent)
        status, rest, _ = agent.end()
    assert (hello["protocolVersion"], hello["serverInfo"]["name"]) == ("2025-06-18", "expert-orchestrator")
    assert [tool["name"] for tool in tools] == TOOLS
    assert answer["structuredContent"]["answer"] == "you said add one and two"
    assert (status, rest) == (0, [])
    assert [line.get("id") for line in agent.lines] == [0, 1, 2]


@pytest.mark.parametrize("stop", [terminate, hang_up])
def test_a_call_under_way_ends_with_the_server(folder: Path, stop: Callable[[Agent], None]) -> None:
    """Specified: it is answered with an error of the connection, and nothing is left of its expert."""
    with connected(folder) as agent:
        agent.greeted()
        call = {"name": "ask", "arguments": {"query": "never add"}, "_meta": {"progressToken": "p"}}
        agent.request(1, "tools/call", **call)
        while "tool: at work" not in str(agent.received()):
            pass
        family = psutil.Process(agent.process.pid).children(recursive=True)
        stop(agent)
        status, rest, log = agent.end()
    assert family
    assert psutil.wait_procs(family, timeout=LIMIT_S)[1] == []
    assert status == 0
    assert [(line["id"], "error" in line) for line in rest] == [(1, True)]
    assert "Traceback" not in log


def test_the_end_may_come_while_the_engine_loads(folder: Path) -> None:
    """Specified: the same exit status, though nothing has been served."""
    with connected(folder) as agent:
        agent.greeted()
        terminate(agent)
        status, rest, log = agent.end()
    assert (status, rest) == (0, [])
    assert "Traceback" not in log


def test_an_agent_of_the_newer_protocol_needs_no_handshake(folder: Path) -> None:
    """Specified by 2026-07-28: the first request says by itself which version it is of."""
    with connected(folder) as agent:
        tools = agent.answered(1, "tools/list", **MODERN)["result"]["tools"]
        refused = agent.answered(2, "initialize", **HELLO)
        call = agent.answered(3, "tools/call", name="list_experts", arguments={}, **MODERN)["result"]
    assert [tool["name"] for tool in tools] == TOOLS
    assert "2026-07-28" in refused["error"]["data"]["supported"]
    assert call["structuredContent"]["experts"][0]["id"] == "tool"


@pytest.mark.parametrize(
    ("line", "number", "code"),
    [
        (b"garbage", None, PARSE),
        (b"{", None, PARSE),
        (b"\xff\xfe\x00", None, PARSE),
        (b"\xef\xbb\xbf{}", None, PARSE),
        (b'{"a": "\\ud800"}', None, PARSE),
        (b"[" * 100_000, None, PARSE),
        (b"[]", None, INVALID),
        (b"null", None, INVALID),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', None, INVALID),
        (b'{"jsonrpc": "1.0", "id": 5, "method": "ping"}', 5, INVALID),
        (b'{"jsonrpc": "2.0", "id": 5}', None, INVALID),
        (b'{"jsonrpc": "2.0", "id": 5, "method": 7}', 5, INVALID),
        (b'{"jsonrpc": "2.0", "id": "a", "method": "ping", "params": []}', "a", INVALID),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', None, INVALID),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', None, INVALID),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', None, INVALID),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "ping", "pad": "%s"}' % (b"x" * 200_000), None, INVALID),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "nope"}', 5, METHOD),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "nope"}}', 5, PARAMS),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": 7}}', 5, PARAMS),
    ],
)
def test_garbage_is_answered(greeted: Agent, line: bytes, number: object, code: int) -> None:
    """Specified by JSON-RPC: an error, with the request's id where it has one; the next request is served."""
    greeted.send(line + b"\n")
    refused = greeted.received()
    assert (refused["id"], refused["error"]["code"]) == (number, code)
    assert greeted.answered(9, "ping")["result"] == {}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"  \r",
        b'{"jsonrpc": "2.0", "id": 77, "result": {}}',
        b'{"jsonrpc": "2.0", "id": 77, "error": {"code": 1, "message": "m"}}',
        b'{"jsonrpc": "2.0", "method": "notifications/of-nobody"}',
        b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "nobody"}}',
    ],
)
def test_what_wants_no_answer_gets_none(greeted: Agent, line: bytes) -> None:
    """Specified: empty lines, notifications and answers to nothing; the next line is that of the next request."""
    greeted.send(line + b"\n")
    greeted.request(9, "ping")
    assert greeted.received() == {"jsonrpc": "2.0", "id": 9, "result": {}}


def test_lines_come_in_any_pieces(greeted: Agent) -> None:
    """Specified: only the end of the line counts; several in one piece are all answered."""
    ping = b'{"jsonrpc": "2.0", "id": 9, "method": "ping"}\r\n'
    for place in range(0, len(ping), 7):
        greeted.send(ping[place : place + 7])
    greeted.send(ping * 5)
    assert [greeted.received()["result"] for _ in range(6)] == [{}] * 6


def test_an_agent_that_listens_no_more_is_gone(folder: Path) -> None:
    """Ours: as if it had closed stdin."""
    with connected(folder) as agent:
        agent.greeted()
        assert agent.process.stdout is not None
        agent.process.stdout.close()
        agent.process.stdout = None
        agent.request(1, "ping")
        assert agent.process.wait(LIMIT_S) == 0


def test_an_agent_that_does_not_read_does_not_hold_the_end_up(folder: Path) -> None:
    """Ours: with a full pipe before it the server still hears that it is to end."""
    with connected(folder) as agent:
        agent.greeted()
        assert agent.process.stdin is not None
        sending = agent.process.stdin.fileno()
        os.set_blocking(sending, False)
        with suppress(BlockingIOError):  # until nobody takes any more
            while True:
                os.write(sending, b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}\n' * 50)
        terminate(agent)
        assert agent.process.wait(LIMIT_S) == 0
