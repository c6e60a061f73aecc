"""Servers that misbehave: they lose their own calls at most, and come back."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import ExpertDoubtful, ExpertError, ExpertFailed, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.mcp.expert import McpExpert
from orchestrator.experts.mcp.pace import Pace
from orchestrator.experts.mcp.streams import Hooks, Outbox
from orchestrator.testing import in_service
from orchestrator.types import Draft

pytestmark = pytest.mark.anyio

PROGRAM = Path(__file__).with_name("odd_server.py")
ODD = McpServerSettings(command="python", args=(str(PROGRAM),))
PATIENT = Pace(retry_s=0.01, most_s=0.05, patience_s=20.0, reply_s=0.2)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes get little time to end in."""
    monkeypatch.setattr("orchestrator.experts.mcp.process.GRACE_S", 0.05)


async def test_a_call_just_after_a_loss_waits_for_the_next_connection(place: Any, asked: Any) -> None:
    """Specified: within its deadline."""
    expert, connection = place.expert(ODD, tool="read", pace=PATIENT), place.connection(ODD)
    with anyio.fail_after(30):
        async with in_service(expert):
            first = int((await expert.draft(asked("one"), _nowhere)).text.split()[0])
            os.kill(first, signal.SIGKILL)
            await connection.reached("starting")
            assert (await expert.draft(asked("two"), _nowhere)).text.split()[1] == "two"
            assert connection.condition.state == "up"


async def test_patience_has_an_end(place: Any, asked: Any) -> None:
    """Specified: who still waits then is told at once, and so is who comes later."""
    server = place.site.folder / "server.py"
    server.write_text(PROGRAM.read_text())
    settings = McpServerSettings(command="python", args=("server.py",))
    pace = Pace(retry_s=0.01, most_s=0.05, patience_s=0.3)
    expert, connection = place.expert(settings, tool="read", pace=pace), place.connection(settings)
    with anyio.fail_after(30):
        async with in_service(expert):
            pid = int((await expert.draft(asked("one"), _nowhere)).text.split()[0])
            server.write_text("import time; time.sleep(600)")  # the next one never says a word
            os.kill(pid, signal.SIGKILL)
            await connection.reached("starting")
            for _ in range(2):
                with pytest.raises(ExpertUnavailable):
                    await expert.draft(asked("two"), _nowhere)
            assert connection.condition.state == "down"


async def test_a_call_that_may_have_been_made_is_not_made_again(place: Any, asked: Any) -> None:
    """Ours: unless the tool only reads, or the settings say that it may be repeated."""
    kinds = {}
    with anyio.fail_after(60):
        for name, settings in {
            "silent": {"tool": "die"},
            "reading": {"tool": "die_reading"},
            "repeated": {"tool": "die", "repeat": True},
            "not repeated": {"tool": "die_reading", "repeat": False},
        }.items():
            expert = place.expert(ODD, pace=PATIENT, **settings)
            async with in_service(expert):
                with pytest.raises(ExpertError) as caught:
                    await expert.draft(asked("x"), _nowhere)
            kinds[name] = (type(caught.value), caught.value.retryable)
    assert kinds == {
        "silent": (ExpertDoubtful, False),
        "reading": (ExpertUnavailable, True),
        "repeated": (ExpertUnavailable, True),
        "not repeated": (ExpertDoubtful, False),
    }


async def test_an_answer_that_is_too_long_is_one_call_s_failure(place: Any, asked: Any) -> None:
    """Ours: it is said at once, and the server goes on."""
    huge, echo = place.expert(ODD, tool="huge", repeat=True), place.expert(ODD, tool="echo")
    with anyio.fail_after(30):
        async with in_service(huge, echo):
            first = (await echo.draft(asked("x"), _nowhere)).text
            with pytest.raises(ExpertFailed) as caught:
                await huge.draft(asked("x"), _nowhere)
            assert (await echo.draft(asked("x"), _nowhere)).text == first
    assert "more than 4,194,304" in str(caught.value)


@pytest.mark.parametrize(
    ("tool", "reason"),
    [("babble", "lines in a row that are no messages"), ("blather", "bytes without a line's end")],
)
async def test_a_server_that_writes_rubbish_is_started_anew(place: Any, asked: Any, tool: str, reason: str) -> None:
    """Specified: nobody else waits for it meanwhile, and calls find a new one."""
    rubbish, echo = place.expert(ODD, tool=tool, pace=PATIENT), place.expert(ODD, tool="echo", pace=PATIENT)
    with anyio.fail_after(60):
        async with in_service(rubbish, echo):
            first = (await echo.draft(asked("x"), _nowhere)).text
            with pytest.raises(ExpertDoubtful) as caught:
                await rubbish.draft(asked("x"), _nowhere)
            assert reason in str(caught.value)
            assert (await echo.draft(asked("x"), _nowhere)).text != first


async def test_a_server_that_reads_nothing_holds_up_nobody(place: Any, asked: Any) -> None:
    """Specified: calls end by their own limit however many there are, and it is started anew."""
    expert = place.expert(ODD, tool="read", pace=PATIENT)
    hasty = place.expert(ODD, tool="read", pace=PATIENT, timeout_s=0.05)
    ended: list[type[object]] = []

    async def call() -> None:
        try:
            ended.append(type(await hasty.draft(asked("x" * 4000), _nowhere)))
        except ExpertError as error:
            ended.append(type(error))

    with anyio.fail_after(30):
        async with in_service(expert, hasty):
            pid = int((await expert.draft(asked("x"), _nowhere)).text.split()[0])
            os.kill(pid, signal.SIGSTOP)
            try:
                async with anyio.create_task_group() as group:
                    for _ in range(300):  # more than fit into the pipe
                        group.start_soon(call)
                assert len(ended) == 300
                assert set(ended) <= {ExpertTimeout, ExpertUnavailable, Draft}
                assert int(await _until_answered(expert, asked)) != pid
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def test_messages_that_nobody_takes_end_a_connection() -> None:
    """Ours: a sender is never held up by a server that does not read."""
    why: list[str] = []
    outbox = Outbox(Hooks(ended=why.append, strange=lambda _: None), most=2)
    message = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/x"))
    with anyio.fail_after(5):
        for _ in range(2):
            await outbox.send(message)
        with pytest.raises(anyio.BrokenResourceError):
            await outbox.send(message)
    assert why == ["the server does not read: 2 messages wait for it"]
    await outbox.aclose()
    taken: list[SessionMessage] = []

    async def take(item: SessionMessage) -> None:
        taken.append(item)

    await outbox.delivered(take)
    assert taken == [message, message]


async def _until_answered(expert: McpExpert, asked: Any) -> str:
    """The process that answered in the end: a caller asks again where that is allowed, as the pipeline does."""
    while True:
        try:
            return (await expert.draft(asked("x"), _nowhere)).text.split()[0]
        except ExpertUnavailable:
            await anyio.lowlevel.checkpoint()


async def _nowhere(_: object) -> None:
    """An `emit` for answers that are not streamed."""
