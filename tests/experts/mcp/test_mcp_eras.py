"""Both eras of the protocol: the same of each. The older one is spoken where a server, or the settings, want it."""

from dataclasses import replace
from typing import Any, Literal

import anyio
import pytest

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import ExpertMisconfigured, ExpertRejected
from orchestrator.experts.mcp.pace import Pace
from orchestrator.experts.protocol import LiveProblem
from orchestrator.testing import in_service
from orchestrator.types import Attachment, Progress
from orchestrator.wire import Assembled

pytestmark = pytest.mark.anyio

Era = Literal["auto", "legacy"]
ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])
SPOKEN = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@ERAS
async def test_a_tool_that_a_server_gains_is_an_expert_at_once(workshop: Any, place: Any, asked: Any, era: Era) -> None:
    """Specified: changes of the list are followed; those who wait for one hear of it."""
    server = workshop.spoken_to(era)
    grow, late = place.expert(server, tool="grow"), place.expert(server, tool="late")
    connection = place.connection(server)
    with anyio.fail_after(20):
        async with in_service(grow, late):
            assert connection.protocol == SPOKEN[era]
            assert late.condition.state == "down"
            known, revision = connection.tools, connection.revision
            await grow.draft(asked("late"), _nowhere)
            assert await connection.changed(revision) > revision
            assert late.condition.state == "up"
            assert (await late.draft(asked("hello"), _nowhere)).text == "hello"
            assert connection.tools["grow"] is known["grow"]


@ERAS
async def test_progress_reaches_who_asked(workshop: Any, place: Any, asked: Any, era: Era) -> None:
    """Specified: while the call is under way, cleaned, and the latest only."""
    expert = place.expert(workshop.spoken_to(era), tool="steps")
    told: list[Progress] = []

    async def report(progress: Progress) -> None:
        told.append(progress)
        if progress.done == 3:
            workshop.release.set()

    with anyio.fail_after(20):
        async with in_service(expert):
            draft = await expert.draft(replace(asked("x"), report=report), _nowhere)
    assert draft.text == "x"
    assert told[-1] == Progress(expert="tool", done=3.0, total=3.0, message="step 3")


async def test_who_is_slow_to_take_progress_holds_up_nobody(workshop: Any, place: Any, asked: Any) -> None:
    """Ours: neither the call itself nor the connection waits for a report to be taken."""
    expert = place.expert(workshop.settings, tool="steps")

    async def report(_: Progress) -> None:
        workshop.release.set()
        await anyio.sleep_forever()

    with anyio.fail_after(20):
        async with in_service(expert):
            assert (await expert.draft(replace(asked("x"), report=report), _nowhere)).text == "x"


@ERAS
async def test_a_caller_that_leaves_is_told_to_the_server(weather: Any, place: Any, asked: Any, era: Era) -> None:
    """Specified: the tool is cancelled, whichever way the protocol says so."""
    expert = place.expert(weather.spoken_to(era), tool="hold")
    with anyio.fail_after(20):
        async with in_service(expert):
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(expert.draft, asked("left"), _nowhere)
                await weather.held.wait()
                leaving.cancel_scope.cancel()
            await weather.left.wait()
            assert expert.condition.state == "up"


async def test_results_keep_what_is_no_text(workshop: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: images, audio, links and resources are typed, in the draft and in the last chunk."""
    expert = place.expert(workshop.settings, tool="gallery")
    with anyio.fail_after(20):
        async with in_service(expert):
            draft = await expert.draft(asked("cats", stream=True), emitted)
    assert draft.text.splitlines()[-1] == "[resource: memo://2]"
    assert draft.attachments == (
        Attachment(kind="image", mime_type="image/png", data="iVBORw=="),
        Attachment(kind="audio", mime_type="audio/wav", data="UklGRg=="),
        Attachment(kind="resource_link", mime_type="text/html", uri="file:///more", name="more"),
        Attachment(kind="resource", mime_type="text/plain", uri="memo://1", text="On cats."),
        Attachment(kind="resource", mime_type="application/pdf", uri="memo://2", data="JVBERg=="),
    )
    delta = emitted[-1].data["choices"][0]["delta"]
    assert delta["attachments"][0] == {"kind": "image", "mime_type": "image/png", "data": "iVBORw=="}
    assert len(delta["attachments"]) == 5
    assembled = Assembled()
    for chunk in emitted:
        assembled.add(chunk)
    assert assembled.text == draft.text


async def test_a_result_has_the_size_that_the_settings_allow(workshop: Any, place: Any, asked: Any) -> None:
    """Specified: attachments count."""
    expert = place.expert(workshop.settings, tool="gallery", max_result_kb=1)
    with anyio.fail_after(20):
        async with in_service(expert):
            assert (await expert.draft(asked("cats"), _nowhere)).attachments
            with pytest.raises(ExpertRejected) as caught:
                await expert.draft(asked("x" * 1000), _nowhere)
    assert "more than 1,024 (max_result_kb)" in str(caught.value)


async def test_a_destructive_tool_needs_leave(workshop: Any, place: Any, asked: Any) -> None:
    """Specified: refused when looked at and when called, until the configuration allows it."""
    barred = place.expert(workshop.settings, tool="wipe")
    allowed = place.expert(workshop.settings, tool="wipe", allow=True)
    reason = "tool 'wipe' may destroy something, as its server says: it is called only with 'allow: true'"
    with anyio.fail_after(20):
        assert await barred.live_problems() == [LiveProblem(key=("tool",), message=reason)]
        assert await allowed.live_problems() == []
        async with in_service(barred, allowed):
            assert (barred.condition.state, barred.condition.reason) == ("down", reason)
            with pytest.raises(ExpertMisconfigured):
                await barred.draft(asked("disk"), _nowhere)
            assert workshop.calls == []
            assert (await allowed.draft(asked("disk"), _nowhere)).text == "disk is gone"


async def test_a_server_that_dies_of_the_question_is_asked_the_older_way(place: Any, asked: Any) -> None:
    """Ours: a first attempt that fails is followed by one that begins with the older handshake."""
    program = (
        "import sys, runpy, io\n"
        "first = sys.stdin.buffer.readline()\n"
        "if b'initialize' not in first: sys.exit(1)\n"
        "sys.stdin = io.TextIOWrapper(io.BufferedReader(Rest(first)))\n"
    )
    rest = (
        "import io, sys\n"
        "class Rest(io.RawIOBase):\n"
        "    def __init__(self, first): self.first = first\n"
        "    def readable(self): return True\n"
        "    def readinto(self, into):\n"
        "        piece = self.first[:len(into)] or sys.__stdin__.buffer.raw.read(len(into))\n"
        "        self.first = self.first[len(into):]\n"
        "        into[:len(piece)] = piece\n"
        "        return len(piece)\n"
    )
    serve = (
        "import anyio\n"
        "from mcp.server.mcpserver import MCPServer\n"
        "from mcp.server.stdio import stdio_server\n"
        "server = MCPServer('old')\n"
        "@server.tool()\n"
        "def echo(text: str) -> str:\n"
        "    return text\n"
        "server.run('stdio')\n"
    )
    (place.site.folder / "old.py").write_text(rest + program + serve)
    server = McpServerSettings(command="python", args=("old.py",))
    expert = place.expert(server, tool="echo", pace=Pace(retry_s=0.01, most_s=0.05, patience_s=0.0))
    with anyio.fail_after(30):
        async with in_service(expert):
            connection = place.connection(server)
            await connection.reached("up")
            assert connection.protocol == SPOKEN["legacy"]
            assert (await expert.draft(asked("hello"), _nowhere)).text == "hello"


async def _nowhere(_: object) -> None:
    """An `emit` for answers that are not streamed."""
