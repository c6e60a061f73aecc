"""MCP servers that this project did not write, as experts of the real service: three processes on stdio, one on HTTP.

`make test-mcp` installs them and names their folder (ORCHESTRATOR_MCP_SERVERS); without that all of this is skipped.
What is started is stopped at the end, and nothing may be left of it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.live import free_ports, skip_without

FOLDER = Path(os.environ.get("ORCHESTRATOR_MCP_SERVERS", "")).absolute()
HERE = Path(__file__).parent
DEADLINE_S = 8.0
START_S = 90.0

STDIO = ("time", "git", "everything", "memory")
"""Servers that the service starts; `http` it only reaches."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without("ORCHESTRATOR_MCP_SERVERS", items, folder=HERE, reason="needs MCP servers of others: make test-mcp")


class Running:
    """The service at `url`, and the servers behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        service, self._http_port = free_ports(2)
        self.url = f"http://127.0.0.1:{service}"
        self._service: subprocess.Popen[bytes] | None = None
        self._http: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        _make_repository(self.repository)
        self.start_http()
        config = self.folder / "experts.yaml"
        config.write_text(yaml.safe_dump(self._config(), sort_keys=False))
        command = [sys.executable, "-m", "orchestrator", "serve", str(config), "--train"]
        with (self.folder / "service.log").open("wb") as log:
            self._service = subprocess.Popen(command, stdout=log, stderr=log)
        names = ("clock", "history", "echo", "remote", "graph")
        _until(lambda: all(self.state(name) == "up" for name in names), START_S, self._log)

    def start_http(self) -> None:
        """Start the server on HTTP; the port is always the same."""
        environment = {**os.environ, "PORT": str(self._http_port)}
        with (self.folder / "http.log").open("wb") as log:
            command = ["node", _script("everything"), "streamableHttp"]
            self._http = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _until(self._http_listens, 30, (self.folder / "http.log").read_text)

    def pid(self, server: str) -> int:
        """The process of a server now."""
        if server == "http":
            assert self._http is not None
            return self._http.pid
        assert self._service is not None
        for process in psutil.Process(self._service.pid).children(recursive=True):
            try:
                if any(_mark(server) in part for part in process.cmdline()):
                    return process.pid
            except psutil.NoSuchProcess:
                continue
        message = f"{server} does not run"
        raise LookupError(message)

    def kill(self, server: str) -> None:
        """End it as a crash would; the one on HTTP is not started again by anybody."""
        os.kill(self.pid(server), signal.SIGKILL)
        if server == "http" and self._http is not None:
            self._http.wait(10)

    def state(self, expert: str) -> str:
        """How the service finds an expert."""
        return str(self.seen(expert).get("state"))

    def seen(self, expert: str) -> dict[str, Any]:
        """What the service says of an expert; nothing while it does not answer."""
        try:
            experts = httpx.get(f"{self.url}/v1/experts", trust_env=False, timeout=5).json()
        except httpx.HTTPError:
            return {}
        return next((one for one in experts if one["id"] == expert), {})

    def stop(self) -> list[psutil.Process]:
        """End it all; what is left of it."""
        family: list[psutil.Process] = []
        for process in (self._service, self._http):
            if process is None:
                continue
            if process.poll() is None:
                family += psutil.Process(process.pid).children(recursive=True)
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        return psutil.wait_procs(family, timeout=10)[1]

    def _http_listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._http_port)) == 0

    def _log(self) -> str:
        return (self.folder / "service.log").read_text()[-3000:]

    def _config(self) -> dict[str, Any]:
        scripts = FOLDER / ".venv-mcp" / "bin"
        servers: dict[str, Any] = {
            "time": {"command": str(scripts / "mcp-server-time"), "args": ["--local-timezone", "UTC"]},
            "git": {"command": str(scripts / "mcp-server-git"), "args": ["--repository", str(self.repository)]},
            "everything": {"command": "node", "args": [_script("everything"), "stdio"]},
            "memory": {
                "command": "node",
                "args": [_script("memory")],
                "env": {"MEMORY_FILE_PATH": str(self.folder / "memory.jsonl")},
            },
            "http": {"url": f"http://127.0.0.1:{self._http_port}/mcp"},
        }

        def expert(server: str, tool: str, arguments: dict[str, Any], **settings: Any) -> dict[str, Any]:
            way = {"server": servers[server], "tool": tool, "arguments": arguments}
            return {"kind": "mcp", "timeout_s": 2, **way, **settings}

        history = {"repo_path": str(self.repository), "max_count": 1}
        entity = {"entities": [{"name": "{query}", "entityType": "thing", "observations": []}]}
        said = {"message": "{query}"}
        long = {"duration": 0.8, "steps": 4}
        experts = {
            "clock": expert("time", "get_current_time", {"timezone": "{query}"}),
            "history": expert("git", "git_log", history),
            "echo": expert("everything", "echo", said),
            "remote": expert("http", "echo", said),
            "graph": expert("memory", "read_graph", {}),
            "remember": expert("memory", "create_entities", entity),
            "forget": expert("memory", "delete_entities", {"entityNames": ["{query}"]}),
            "forget_allowed": expert("memory", "delete_entities", {"entityNames": ["{query}"]}, allow=True),
            "picture": expert("everything", "get-tiny-image", {}),
            "links": expert("everything", "get-resource-links", {"count": 2}),
            "resource": expert("everything", "get-resource-reference", {"resourceType": "Text", "resourceId": 1}),
            "weather": expert("everything", "get-structured-content", {"location": "New York"}),
            "long": expert("everything", "trigger-long-running-operation", long),
            "remote_long": expert("http", "trigger-long-running-operation", long),
            "wrong": expert("everything", "get-sum", {"a": "{query}", "b": 1}),
        }
        return {
            "version": 1,
            "general": "general",
            "categories": {
                "time": {
                    "description": "the time of day",
                    "examples": ["what time is it", "the time in Oslo", "how late is it in Tokyo"],
                    "experts": ["clock"],
                },
                "general": {
                    "description": "everything else",
                    "examples": ["say hello", "repeat this sentence", "tell me a story"],
                    "experts": ["echo"],
                },
            },
            "experts": experts,
            "budget": {"deadline_s": DEADLINE_S},
            "serve": {"port": int(self.url.rpartition(":")[2])},
        }


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything up, once for all tests here."""
    all_of_it = Running(tmp_path_factory.mktemp("mcp_servers"))
    try:
        all_of_it.start()
        yield all_of_it
    finally:
        left = all_of_it.stop()
    assert left == []


def _mark(server: str) -> str:
    """What the command of a server has that no other one's has."""
    return {"time": "mcp-server-time", "git": "mcp-server-git"}.get(server, f"server-{server}")


def _script(server: str) -> str:
    return str(FOLDER / "node_modules" / "@modelcontextprotocol" / f"server-{server}" / "dist" / "index.js")


def _make_repository(folder: Path) -> None:
    folder.mkdir()
    for arguments in (
        ("init", "--quiet"),
        (
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "the first",
        ),
    ):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)  # noqa: S607 - from PATH


def _until(so: Callable[[], bool], limit_s: float, log: Callable[[], str]) -> None:
    until = time.monotonic() + limit_s
    while not so():
        if time.monotonic() > until:
            pytest.fail(f"not within {limit_s:g} s: {log()}")
        time.sleep(0.1)
