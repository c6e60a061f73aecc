"""Real MCP servers as experts: what they return, and that one's trouble is nobody else's."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
import httpx
import psutil
import pytest

from tests.mcp_servers.conftest import DEADLINE_S, Running

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
OF_SERVER = {"time": "clock", "git": "history", "everything": "echo", "http": "remote"}
CALLS = 16
"""In each of the twelve troubles, and eight more at the end: 200."""
RECOVERY_S = 30.0


@pytest.fixture
async def client(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Of the service; a call that outlives its deadline fails the test."""
    limits = httpx.Timeout(DEADLINE_S + 4)
    async with httpx.AsyncClient(base_url=running.url, timeout=limits, trust_env=False) as one:
        yield one


async def asked(client: httpx.AsyncClient, expert: str, text: str = "hello", **fields: Any) -> httpx.Response:
    body = {"model": expert, "messages": [{"role": "user", "content": text}], **fields}
    return await client.post(CHAT, json=body)


async def said(client: httpx.AsyncClient, expert: str, text: str = "hello") -> dict[str, Any]:
    """The message of an answer."""
    answer = await asked(client, expert, text)
    assert answer.status_code == 200, answer.text
    message: dict[str, Any] = answer.json()["choices"][0]["message"]
    return message


async def test_tools_of_four_servers_answer(client: httpx.AsyncClient) -> None:
    """Two in Python, which speak the newer protocol, two in JavaScript, which speak the older; one of these on HTTP."""
    assert json.loads((await said(client, "clock", "Europe/Oslo"))["content"])["timezone"] == "Europe/Oslo"
    assert "the first" in (await said(client, "history"))["content"]
    assert (await said(client, "echo"))["content"] == "Echo: hello"
    assert (await said(client, "remote"))["content"] == "Echo: hello"
    assert "entities" in (await said(client, "graph"))["content"]


async def test_results_are_typed(client: httpx.AsyncClient) -> None:
    """Images, links, resources and data, as these servers send them."""
    [image] = (await said(client, "picture"))["attachments"]
    assert (image["kind"], image["mime_type"]) == ("image", "image/png")
    assert image["data"].startswith("iVBOR")
    links = (await said(client, "links"))["attachments"]
    assert [link["kind"] for link in links] == ["resource_link"] * 2
    [resource] = (await said(client, "resource"))["attachments"]
    assert (resource["kind"], bool(resource["text"])) == ("resource", True)
    assert set((await said(client, "weather"))["structured_content"]) == {"temperature", "conditions", "humidity"}


@pytest.mark.parametrize("expert", ["long", "remote_long"])
async def test_progress_comes_through(client: httpx.AsyncClient, expert: str) -> None:
    """In comments of the stream, from stdio and from HTTP."""
    answer = await asked(client, expert, stream=True, progress=True)
    told = [line.removeprefix(": progress ") for line in answer.text.splitlines() if line.startswith(": progress ")]
    assert json.loads(told[0]) == {"expert": expert, "progress": 1.0, "total": 4.0}
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_arguments_that_do_not_fit_are_refused_here(client: httpx.AsyncClient) -> None:
    """By the server's own schema, with the place."""
    answer = await asked(client, "wrong", "three")
    assert answer.status_code == 400
    assert "$.a: 'three' is not of type 'number'" in answer.json()["error"]["message"]


async def test_an_error_of_a_tool_is_the_caller_s_to_read(client: httpx.AsyncClient) -> None:
    """The server's own words, as a refusal."""
    answer = await asked(client, "clock", "Atlantis/Poseidonis")
    assert answer.status_code == 400
    assert "Atlantis" in answer.json()["error"]["message"]


async def test_a_destructive_tool_is_called_only_where_that_is_allowed(
    running: Running, client: httpx.AsyncClient
) -> None:
    """The server says that deleting destroys; creating does not."""
    await said(client, "remember", "lamp")
    refused = await asked(client, "forget", "lamp")
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "expert_misconfigured")
    assert "allow: true" in refused.json()["error"]["message"]
    assert "allow: true" in running.seen("forget")["reason"]
    assert "lamp" in (await said(client, "graph"))["content"]
    await said(client, "forget_allowed", "lamp")
    assert "lamp" not in (await said(client, "graph"))["content"]


@dataclass
class Log:
    """What became of the calls: (expert, status) and how many; `unlike` are answers of status 200 that are wrong."""

    outcomes: Counter[tuple[str, int]] = field(default_factory=Counter)
    unlike: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return self.outcomes.total()

    def lost(self, *, but: str) -> list[tuple[str, int]]:
        return [(expert, status) for expert, status in self.outcomes if expert != but and status != 200]


async def test_trouble_of_one_server_is_nobody_else_s(running: Running, client: httpx.AsyncClient) -> None:
    """200 calls while each of four servers in turn is killed (the one on HTTP: and restarted), hung, and slowed.

    Every call of an expert on another server is answered, none outlives its deadline, and the one in trouble answers
    again without anybody's doing.
    """
    whole = Log()
    for server, expert in OF_SERVER.items():
        for trouble in (_killed, _slowed, _hung):
            log = Log()
            with trouble(running, server):
                async with anyio.create_task_group() as group:
                    if server == "http" and trouble is _killed:
                        group.start_soon(anyio.to_thread.run_sync, running.start_http)
                    await _call_all(client, log, CALLS)
            assert log.lost(but=expert) == [], (server, trouble.__name__, log.outcomes)
            assert log.unlike == []
            if trouble is not _hung:  # calls wait for a new process, and one that is slow is waited for
                assert log.lost(but="") == [], (server, log.outcomes)
            await _recovered(client, expert)
            whole.outcomes += log.outcomes
    await _call_all(client, whole, 8)
    assert whole.calls == 200
    answered = sum(count for (_, status), count in whole.outcomes.items() if status == 200)
    print(f"{answered} of {whole.calls} answered:", dict(whole.outcomes))  # noqa: T201 - a figure worth seeing


async def test_a_server_that_hangs_for_good_is_replaced(running: Running, client: httpx.AsyncClient) -> None:
    """Without a call that wakes it: the process is another one afterwards."""
    before = running.pid("time")
    os.kill(before, signal.SIGSTOP)
    try:
        assert (await asked(client, "clock", "UTC")).status_code == 504
        await _recovered(client, "clock")
        assert running.pid("time") != before
    finally:
        with suppress(ProcessLookupError):
            os.kill(before, signal.SIGKILL)


async def test_all_at_once_after_a_kill_wait_for_the_next(running: Running, client: httpx.AsyncClient) -> None:
    """Calls that come while a connection is being made anew are answered, not refused."""
    running.kill("time")
    statuses: list[int] = []

    async def call() -> None:
        statuses.append((await asked(client, "clock", "UTC")).status_code)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
    assert statuses == [200] * 20


async def _call_all(client: httpx.AsyncClient, log: Log, calls: int) -> None:
    """So many calls in turn over all experts, one each 40 ms."""

    async def call(expert: str, number: int) -> None:
        text = "UTC" if expert == "clock" else f"call {number}"
        answer = await asked(client, expert, text)
        log.outcomes[expert, answer.status_code] += 1
        expected = {"clock": "UTC", "history": "the first"}.get(expert, f"Echo: call {number}")
        if answer.status_code == 200 and expected not in answer.json()["choices"][0]["message"]["content"]:
            log.unlike.append(answer.text)

    async with anyio.create_task_group() as group:
        for number in range(calls):
            group.start_soon(call, list(OF_SERVER.values())[number % len(OF_SERVER)], number)
            await anyio.sleep(0.04)


async def _recovered(client: httpx.AsyncClient, expert: str) -> None:
    """Wait until an expert answers again, by itself."""
    with anyio.fail_after(RECOVERY_S):
        while (await asked(client, expert, "UTC")).status_code != 200:  # noqa: ASYNC110 - another process
            await anyio.sleep(0.2)


@contextmanager
def _killed(running: Running, server: str) -> Iterator[None]:
    running.kill(server)
    yield


@contextmanager
def _hung(running: Running, server: str) -> Iterator[None]:
    process = psutil.Process(running.pid(server))
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def _slowed(running: Running, server: str) -> Iterator[None]:
    """It runs for a fifth of the time."""
    process = psutil.Process(running.pid(server))
    over = threading.Event()

    def slow() -> None:
        with suppress(psutil.NoSuchProcess):
            while not over.wait(0.01):
                process.suspend()
                over.wait(0.04)
                process.resume()

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
