"""Connections: one a server, kept up by whoever is in service, gone without harm."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import LogCapture

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import (
    ExpertDoubtful,
    ExpertError,
    ExpertFailed,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.mcp.connection import connection_of
from orchestrator.experts.mcp.error_log import ErrorLog
from orchestrator.experts.mcp.pace import Pace
from orchestrator.testing import in_service

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).with_name("stdio_server.py")


@pytest.fixture
def own_log(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What connections log, however the log was set up before."""
    capture = LogCapture()
    for module in ("connection", "error_log", "watch"):
        logger = structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.stdlib.BoundLogger)
        monkeypatch.setattr(f"orchestrator.experts.mcp.{module}.log", logger)
    entries: list[Any] = capture.entries
    return entries


async def test_a_process_runs_in_the_sites_folder_with_this_environments_python(place: Any, asked: Any) -> None:
    """Specified: working directory, PATH and variables of the settings; several tools, one process, none left over."""
    server = McpServerSettings(command="python", args=(str(SERVER),), env={"COLOUR": "blue"})
    echo, surroundings = place.expert(server, tool="echo"), place.expert(server, tool="surroundings")
    with anyio.fail_after(60):
        async with in_service(echo, surroundings):
            assert (await echo.draft(asked("hello"), _nowhere)).text == "hello"
            seen = (await surroundings.draft(asked("COLOUR"), _nowhere)).structured
            assert Path(seen["cwd"]) == place.site.folder.resolve()
            assert Path(seen["python"]) == Path(sys.executable)
            assert seen["variable"] == "blue"
            [log] = (place.site.cache / "logs").iterdir()
            assert log.read_text() == "the server says hello\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(seen["pid"]), 0)


async def test_a_killed_process_fails_calls_at_once_and_comes_back(place: Any, asked: Any) -> None:
    """Specified: the call under way and later ones fail, the condition says so, and then it is up again."""
    server = McpServerSettings(command="python", args=(str(SERVER),))
    expert, hang = place.expert(server, tool="surroundings"), place.expert(server, tool="hang", timeout_s=0.05)
    slow = place.expert(server, tool="hang")
    connection = place.connection(server)
    failures: list[type[Exception]] = []

    async def wait() -> None:
        try:
            await slow.draft(asked("x"), _nowhere)
        except ExpertDoubtful as error:
            failures.append(type(error))

    with anyio.fail_after(60):
        async with in_service(expert, hang, slow), anyio.create_task_group() as group:
            with pytest.raises(ExpertTimeout):
                await hang.draft(asked("x"), _nowhere)
            first = int((await expert.draft(asked("X"), _nowhere)).structured["pid"])
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            os.kill(first, signal.SIGKILL)
            await connection.reached("down")
            assert expert.condition.reason == "the server ended; its last words: the server says hello"
            with pytest.raises(ExpertUnavailable):
                await expert.draft(asked("X"), _nowhere)
            await connection.reached("up")
            second = int((await expert.draft(asked("X"), _nowhere)).structured["pid"])
            assert second != first
    assert failures == [ExpertDoubtful]
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


@pytest.mark.parametrize("cut", ["by the tool's own limit", "by its caller"])
async def test_a_process_that_hangs_is_replaced(
    place: Any, asked: Any, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """Ours: a call without an answer has the server checked; one that is silent is ended, and started anew."""
    monkeypatch.setattr("orchestrator.experts.mcp.process.GRACE_S", 0.05)
    server = McpServerSettings(command="python", args=(str(SERVER),))
    timeout_s = 0.05 if cut == "by the tool's own limit" else 30.0
    expert = place.expert(
        server, tool="surroundings", pace=Pace(retry_s=0.01, most_s=0.05, reply_s=0.2, patience_s=0.0)
    )
    late = place.expert(server, tool="echo", timeout_s=timeout_s)
    connection = place.connection(server)
    with anyio.fail_after(30):
        async with in_service(expert, late):
            first = int((await expert.draft(asked("X"), _nowhere)).structured["pid"])
            os.kill(first, signal.SIGSTOP)
            try:
                with anyio.move_on_after(0.1), pytest.raises(ExpertTimeout):
                    await late.draft(asked("x"), _nowhere)
                await connection.reached("down")
                assert connection.condition.reason == "no answer to a call, and none within 0.2 s to a check"
                await connection.reached("up")
                assert int((await expert.draft(asked("X"), _nowhere)).structured["pid"]) != first
                with pytest.raises(ProcessLookupError):
                    os.kill(first, 0)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(first, signal.SIGKILL)


async def test_a_tool_that_is_slow_leaves_its_server_alone(place: Any, asked: Any) -> None:
    """Ours: a server that still lists its tools after a call without an answer is not at fault."""
    server = McpServerSettings(command="python", args=(str(SERVER),))
    slow = place.expert(server, tool="hang", timeout_s=0.05)
    expert, connection = place.expert(server, tool="surroundings"), place.connection(server)
    with anyio.fail_after(30):
        async with in_service(slow, expert):
            first = (await expert.draft(asked("X"), _nowhere)).structured["pid"]
            with pytest.raises(ExpertTimeout):
                await slow.draft(asked("x"), _nowhere)
            connection.tools = {}
            await _until(lambda: bool(connection.tools))  # the check has been answered
            assert connection.condition.state == "up"
            assert (await expert.draft(asked("X"), _nowhere)).structured["pid"] == first


async def test_strange_output_is_mentioned_once(
    place: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, own_log: Any
) -> None:
    """Ours: lines on stdout that are no messages are one line in our log and a hint in the condition."""
    monkeypatch.setattr("orchestrator.experts.mcp.process.GRACE_S", 0.05)
    server = McpServerSettings(command="sh", args=("-c", "yes loading | head -n 500; touch said; exec sleep 600"))
    expert = place.expert(server, tool="echo", pace=Pace(connect_s=0.5))
    with anyio.fail_after(20), caplog.at_level(logging.DEBUG, "mcp.client.stdio"):
        async with in_service(expert):
            reason = expert.condition.reason
    assert (place.site.folder / "said").exists()
    assert reason == "no answer within 0.5 s; it sends what is no message"
    assert [record for record in caplog.records if record.name == "mcp.client.stdio"] == []
    assert [entry["event"] for entry in own_log].count("mcp.strange_output") == 1


async def test_a_flood_on_stderr_does_not_fill_the_disk(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: the log of a server is kept short from its start on, connected or not."""
    monkeypatch.setattr("orchestrator.experts.mcp.process.GRACE_S", 0.05)
    server = McpServerSettings(command="sh", args=("-c", "yes | head -c 3000000 >&2; touch said; exec sleep 600"))
    connection = place.connection(server)
    said = place.site.folder / "said"
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(connection.serve)
            await _until(said.exists)
            [log] = (place.site.cache / "logs").iterdir()
            await _until(lambda: log.stat().st_size <= 1_048_576)
            group.cancel_scope.cancel()


async def test_a_cache_that_cannot_be_written_costs_only_the_log(place: Any, asked: Any, own_log: Any) -> None:
    """Ours: the server runs all the same, and our log says once what is missing."""
    place.site.cache.write_text("a file where a folder should be")
    server = McpServerSettings(command="python", args=(str(SERVER),))
    expert = place.expert(server, tool="surroundings")
    connection = place.connection(server)
    with anyio.fail_after(60):
        async with in_service(expert):
            pid = int((await expert.draft(asked("X"), _nowhere)).structured["pid"])
            os.kill(pid, signal.SIGKILL)
            await connection.reached("down")
            assert connection.condition.reason == "the server ended"
            await connection.reached("up")
    assert [entry["event"] for entry in own_log].count("mcp.no_error_log") == 1


@pytest.mark.parametrize(
    ("command", "args", "reason"),
    [
        ("no-such-command", (), "cannot start 'no-such-command': [Errno 2] No such file or directory"),
        ("sh", ("-c", "echo first >&2; echo bad licence >&2; exit 3"), "the server ended; its last words: bad licence"),
        ("sh", ("-c", "exit 3"), "the server ended"),
    ],
)
async def test_a_process_that_does_not_start_is_a_condition(
    place: Any, asked: Any, command: str, args: tuple[str, ...], reason: str
) -> None:
    """Specified: down with the reason, its last line of stderr among it; start-up goes on."""
    expert = place.expert(McpServerSettings(command=command, args=args), tool="echo", pace=Pace())
    with anyio.fail_after(20):
        async with in_service(expert):
            assert expert.condition.state == "down"
            assert expert.condition.reason.startswith(reason)
            with pytest.raises(ExpertUnavailable):
                await expert.draft(asked("x"), _nowhere)


async def test_a_process_that_says_nothing_is_left_after_a_while(place: Any) -> None:
    """Specified: connecting has a limit, and the process does not outlive it."""
    pid_file = place.site.folder / "pid"
    server = McpServerSettings(command="sh", args=("-c", "echo $$ > pid; exec sleep 600"))
    expert = place.expert(server, tool="echo", pace=Pace(connect_s=0.2))
    with anyio.fail_after(20):
        async with in_service(expert):
            assert expert.condition.state == "down"
            assert expert.condition.reason == "no answer within 0.2 s"
            with pytest.raises(ProcessLookupError):
                os.kill(int(pid_file.read_text()), 0)


async def test_equal_settings_share_a_connection(place: Any) -> None:
    """Specified: one connection a server; other headers are another client."""
    same = [McpServerSettings(url="http://127.0.0.1:1/mcp", headers={"a": "1"}) for _ in range(2)]
    other = McpServerSettings(url="http://127.0.0.1:1/mcp", headers={"a": "2"})
    assert connection_of(same[0], place.site) is connection_of(same[1], place.site)
    assert connection_of(same[0], place.site) is not connection_of(other, place.site)


async def test_the_next_expert_takes_over_when_the_owner_leaves(weather: Any, place: Any, asked: Any) -> None:
    """Ours: a connection outlives the expert whose task kept it."""
    first, second = place.expert(weather.settings, tool="echo"), place.expert(weather.settings, tool="echo")
    connection = place.connection(weather.settings)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as later:
            async with in_service(first):
                await later.start(second.serve)
                assert (await second.draft(asked("one"), _nowhere)).text == "one"
            await connection.reached("up")
            assert (await second.draft(asked("two"), _nowhere)).text == "two"
            later.cancel_scope.cancel()
    assert connection.condition.state == "starting"


async def test_headers_reach_an_http_server(weather: Any, place: Any, asked: Any) -> None:
    """Specified: the secret ones of the settings."""
    server = McpServerSettings(url=weather.settings.url, headers={"Authorization": "Bearer xyz"})
    expert = place.expert(server, tool="echo")
    with anyio.fail_after(20):
        async with in_service(expert):
            await expert.draft(asked("hello"), _nowhere)
    assert weather.headers["authorization"] == "Bearer xyz"


async def test_an_http_server_that_goes_fails_calls_at_once_and_comes_back(
    place: Any, asked: Any, silent_weather: Any
) -> None:
    """Specified: as a process does; the next call finds that it is gone."""
    server = silent_weather
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            async with server.listening():
                expert = place.expert(server.settings, tool="echo")
                connection = place.connection(server.settings)
                await group.start(expert.serve)
                assert (await expert.draft(asked("one"), _nowhere)).text == "one"
            for question in ("two", "three"):
                with pytest.raises(ExpertUnavailable):
                    await expert.draft(asked(question), _nowhere)
            assert expert.condition.state == "down"
            async with server.listening():
                await connection.reached("up")
                assert (await expert.draft(asked("four"), _nowhere)).text == "four"
            group.cancel_scope.cancel()
    assert [call["text"] for call in server.calls] == ["one", "four"]


async def test_an_http_server_that_is_not_there_is_a_condition(place: Any, unused_port: int) -> None:
    """Specified: down with the reason; start-up goes on."""
    expert = place.expert(McpServerSettings(url=f"http://127.0.0.1:{unused_port}/mcp"), tool="echo", pace=Pace())
    with anyio.fail_after(20):
        async with in_service(expert):
            assert expert.condition.state == "down"
            assert expert.condition.reason.startswith("ConnectError: ")


async def test_an_idle_connection_looks_after_its_server(place: Any, silent_weather: Any) -> None:
    """Ours: without any call it notices that an HTTP server is gone."""
    server = silent_weather
    pace = Pace(retry_s=0.01, most_s=0.05, relist_s=0.05, patience_s=0.0)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            async with server.listening():
                expert = place.expert(server.settings, tool="echo", pace=pace)
                connection = place.connection(server.settings)
                await group.start(expert.serve)
                assert expert.condition.state == "up"
            await connection.reached("down")
            group.cancel_scope.cancel()


async def test_a_late_or_cancelled_call_leaves_others_alone(weather: Any, place: Any, asked: Any) -> None:
    """Specified: the connection stands, and a call under way on it gets its answer."""
    expert = place.expert(weather.settings, tool="hold")
    late = place.expert(weather.settings, tool="hold", timeout_s=0.05)
    answers: list[str] = []

    async def hold() -> None:
        answers.append((await expert.draft(asked("kept"), _nowhere)).text)

    with anyio.fail_after(20):
        async with in_service(expert, late), anyio.create_task_group() as group:
            group.start_soon(hold)
            await weather.held.wait()
            with pytest.raises(ExpertTimeout) as caught:
                await late.draft(asked("late"), _nowhere)
            assert str(caught.value) == "'hold' took longer than 0.05 s"
            await weather.left.wait()
            weather.left, weather.held = anyio.Event(), anyio.Event()
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(expert.draft, asked("left"), _nowhere)
                await weather.held.wait()
                leaving.cancel_scope.cancel()
            await weather.left.wait()
            assert (expert.condition.state, answers) == ("up", [])
            weather.release.set()
    assert answers == ["kept"]


@pytest.mark.parametrize(("question", "kind"), [("params", ExpertRejected), ("server", ExpertFailed)])
async def test_an_error_of_the_protocol_leaves_the_connection(
    weather: Any, place: Any, asked: Any, question: str, kind: type[ExpertError]
) -> None:
    """Specified: wrong parameters are a refusal, anything else a failure; the connection stands."""
    expert = place.expert(weather.settings, tool="refuse")
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(kind) as caught:
                await expert.draft(asked(question), _nowhere)
            assert expert.condition.state == "up"
    assert str(caught.value) == f"wrong {question}"


def test_a_log_is_cut_when_it_is_long(tmp_path: Path) -> None:
    """Ours: a server that talks for months does not fill the disk."""
    log = ErrorLog(tmp_path / "logs" / "x.log")
    assert log.last_line() == ""
    with log.opened() as file:
        file.write("x" * 2_000_000 + "\nlast words\n\n")
        file.flush()
        assert log.last_line() == "last words"
        log.trim()
        file.write("after\n")
        file.flush()
        assert (tmp_path / "logs" / "x.log").read_text() == "after\n"


async def _until(so: Callable[[], bool]) -> None:
    """Wait for what tells nobody."""
    while not so():  # noqa: ASYNC110 - a file, or a process of another program: there is no event
        await anyio.sleep(0.01)


async def _nowhere(_: object) -> None:
    """An `emit` for answers that are not streamed."""
