"""The real service in front of a faked vLLM server, for clients of others that nobody changed.

`make test-clients` installs them and names their Python (ORCHESTRATOR_CLIENTS); without that all of this is skipped.
They have packages of their own, so that each runs as a program in that environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from orchestrator.testing import Answer, FakeVLLM
from tests.live import free_ports, skip_without

PYTHON = os.environ.get("ORCHESTRATOR_CLIENTS", "")
HERE = Path(__file__).parent
START_S, PROGRAM_S, STOP_S = 120.0, 90.0, 20.0
TEXT = "The tower stands in Paris: caf\u00e9, \U0001f5fc."
CITIES = ("Oslo", "Paris")
ANSWERED = "It is 7 degrees in both."

Run = Callable[..., dict[str, Any]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without("ORCHESTRATOR_CLIENTS", items, folder=HERE, reason="needs clients of others: make test-clients")


def said(body: Mapping[str, Any]) -> Answer:
    """Both cities' weather is asked for where there is a tool, and told once its results are there."""
    if body["messages"][-1].get("role") == "tool":
        return Answer(pieces=tuple(ANSWERED.partition(" 7")))
    if body.get("tools"):
        name = body["tools"][0]["function"]["name"]
        calls = [
            {"id": f"call_{city}", "type": "function", "function": {"name": name, "arguments": f'{{"city": "{city}"}}'}}
            for city in CITIES
        ]
        return Answer(pieces=(), tool_calls=tuple(calls), finish_reason="tool_calls")
    return Answer(pieces=tuple(TEXT.partition(" in ")))


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeVLLM]:
    """The server behind every expert."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(FakeVLLM(models=("m",))) as server:
        server.answer = said
        yield server


@pytest.fixture(scope="session")
def url(fake: FakeVLLM, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the service; it runs in a process of its own."""
    folder = tmp_path_factory.mktemp("clients")
    expert = {"kind": "vllm", "model": "m", "replicas": [fake.url]}
    config = {
        "version": 1,
        "categories": {
            "places": {
                "description": "where something stands",
                "examples": ["Where is it?", "In which city does the bridge stand?", "Where is the tower?"],
                "experts": ["guide"],
            },
            "verse": {
                "description": "poems",
                "examples": ["Write a poem.", "Two lines that rhyme, please."],
                "experts": ["writer"],
            },
            "general": {"description": "everything else", "experts": ["writer"]},
        },
        "general": "general",
        "experts": {"guide": expert, "writer": expert},
        "serve": {"batches": "batches"},
    }
    (folder / "experts.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    with _serving(folder) as address:
        yield address


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service over the embedded example, once all its experts are up."""
    folder = tmp_path_factory.mktemp("example")
    for name in ("experts.yaml", "example"):
        (folder / name).symlink_to(HERE.parents[1] / name)
    with _serving(folder) as address:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            experts = httpx.get(f"{address}/v1/experts", trust_env=False).json()
            if all(expert["state"] == "up" for expert in experts):
                break
            time.sleep(0.1)
        yield address


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The address of a service of its own process, by the configuration in a folder; its log must show no defect."""
    address = f"http://127.0.0.1:{(port := free_ports(1)[0])}"
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "serve",
        str(folder / "experts.yaml"),
        "--train",
        "--port",
        str(port),
    ]
    with (folder / "service.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as service:
        try:
            _until_ready(address, service, folder / "service.log")
            yield address
        finally:
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(STOP_S)
            except subprocess.TimeoutExpired:
                service.kill()
                raise
    assert "Traceback" not in (folder / "service.log").read_text()


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a program of tests/clients/programs against a service; what it printed, which is JSON."""

    def program(name: str, *arguments: str, service: str = "url") -> dict[str, Any]:
        url = request.getfixturevalue(service)
        command = [PYTHON, str(HERE / "programs" / f"{name}.py"), url, "auto", *arguments]
        environment = {**os.environ, "PYTHONPATH": "", "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PROGRAM_S, check=False, cwd=HERE
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return program


def _until_ready(address: str, service: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert service.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{address}/health/ready", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the service is not ready: {log.read_text()[-3000:]}")
