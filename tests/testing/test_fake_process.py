"""The faked server as a command and as a process that can be killed."""

import re
import signal
from pathlib import Path

import anyio
import httpx
import pytest

from orchestrator.testing import FAULTS, FakeProcess, traced
from orchestrator.testing.fake_vllm.command import main

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "testing.md"
BODY = {"model": "m", "messages": [{"role": "user", "content": "q1"}]}


async def test_process_serves_is_killed_and_serves_again_at_its_port() -> None:
    """`kill -9` is what no server in this process can suffer; a stop in order has status 0."""
    with anyio.fail_after(60):
        async with FakeProcess("--model", "m", "--name", "a", "--dev") as server, httpx.AsyncClient() as client:
            said = (await client.post(server.url + CHAT, json=BODY)).json()
            sleeping = (await client.get(f"{server.url}/is_sleeping")).json()
            told = await server.tell(faults=["500"], pretended_waiting=5, fault_at={"/health": "503"})
            failed = await client.post(server.url + CHAT, json=BODY)
            ill = await client.get(f"{server.url}/health")
            pid, url = server.pid, server.url
            killed = await server.kill()
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{url}/health")
            await server.start()
            facts = await server.facts()
            assert (server.url, server.pid == pid) == (url, False)
            with pytest.raises(ValueError, match="no fault 'fire'"):
                await server.tell(faults=["fire"])
            with pytest.raises(ValueError, match="fautls"):
                await server.tell(fautls=[])
            stopped = await server.stop()
    assert traced(said["choices"][0]["message"]["content"]).server == "a"
    assert (sleeping, told["requests"], facts["requests"]) == ({"is_sleeping": False}, 1, 0)
    assert (failed.status_code, ill.status_code) == (500, 503)
    assert (killed, stopped) == (-signal.SIGKILL, 0)


async def test_command_takes_vllms_own_flags_and_passes_over_the_rest() -> None:
    """So that it can stand where a launcher starts `vllm serve`; SIGINT stops it too, with a stream under way."""
    arguments = ("serve", "big/model", "--gpu-memory-utilization", "0.9", "--served-model-name", "m", "--pace", "60")
    with anyio.fail_after(60):
        async with FakeProcess(*arguments) as server, httpx.AsyncClient() as client:
            models = (await client.get(f"{server.url}/v1/models")).json()["data"]
            async with client.stream("POST", server.url + CHAT, json={**BODY, "stream": True}) as answer:
                assert answer.status_code == 200
                server.send(signal.SIGINT)
                status = await server.wait()
    assert [model["id"] for model in models] == ["m"]
    assert status == 0


async def test_process_that_ends_instead_of_listening_is_told() -> None:
    """With its status, soon."""
    with anyio.fail_after(60):
        with pytest.raises(RuntimeError, match="status 2"):
            await FakeProcess("--no-such-flag").start()
        with pytest.raises(RuntimeError, match="status 1"):
            await FakeProcess("--start-s", "60", "--die-after-s", "0.01").start()


@pytest.mark.parametrize("arguments", [["--fault", "fire"], ["--fault", "500:0.7", "--fault", "503:0.7"]])
def test_mistakes_in_faults_are_told_before_it_serves(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with status 1."""
    assert main([*arguments, "--port", "0"]) == 1
    assert capsys.readouterr().err.startswith("fake_vllm: ")


def test_help_names_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """And has examples."""
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(name in told for name in FAULTS)
    assert "examples:" in told


def test_python_of_the_documentation_runs() -> None:
    """Each block by itself, as a reader would paste it."""
    page = DOCUMENTATION.read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "docs/testing.md", "exec"), {})  # noqa: S102 - the project's own page


def test_documentation_names_every_fault_flag_and_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/testing.md grows with the fake."""
    page = DOCUMENTATION.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--help"])
    flags = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--any", "--flag", "--of", "--help"}
    paths = {"/metrics", "/sleep", "/wake_up", "/is_sleeping", "/v1/load_lora_adapter", "/v1/unload_lora_adapter"}
    paths |= {"/v1/completions", "/v1/embeddings", "/tokenize", "/detokenize", "/version", "/load", "/ping", "/fake"}
    missing = {f"`{name}`" for name in FAULTS if f"`{name}`" not in page} | {
        name for name in flags | paths if name not in page
    }
    assert not missing
