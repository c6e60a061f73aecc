"""A whole MCP server as one expert: which tool, none, and what is missing."""

import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from orchestrator.config.kinds import McpServerSettings, McpSettings
from orchestrator.errors import ExpertError, ExpertRejected, ExpertUnavailable
from orchestrator.experts import Supervised
from orchestrator.experts.mcp.kind import mcp_expert
from orchestrator.experts.mcp.server_expert import McpServerExpert
from orchestrator.fleet.guard import Guard
from orchestrator.testing import ScriptedExpert, check_expert, in_service
from orchestrator.types import ChatRequest, Draft, ToolChoice, Usage
from orchestrator.wire import Assembled

pytestmark = pytest.mark.anyio

EXAMPLE = McpServerSettings(
    command=sys.executable, args=(str(Path(__file__).parents[3] / "example" / "tools" / "server.py"),)
)
CONVERT = json.dumps({"tool": "convert", "arguments": {"quantity": "5 miles to km"}})
QUERY = "convert units: a length of 5 miles to km"


class Reader(ScriptedExpert):
    """A scripted extractor that tells which tools it was shown."""

    def __init__(self, *script: Any) -> None:
        super().__init__("reader", *script)

    @property
    def shown(self) -> list[list[str]]:
        briefings = [json.loads(request.messages[1]["content"]) for request in self.requests]
        return [[tool["name"] for tool in briefing["tools"]] for briefing in briefings]


@asynccontextmanager
async def whole(
    place: Any, server: McpServerSettings, reader: Reader, *, allow: bool = False, **tools: Any
) -> AsyncIterator[McpServerExpert]:
    """The expert in service, by words alone; what it is connected by is quick to try again."""
    place.experts["reader"] = reader
    place.connection(server)
    chosen = {"embedder": "none", **tools}
    settings = McpSettings.model_validate({"server": server, "arguments_by": "reader", "allow": allow, "tools": chosen})
    expert = mcp_expert("box", settings, place.site)
    assert isinstance(expert, McpServerExpert)
    with anyio.fail_after(30):
        async with in_service(expert):
            yield expert


def talk(*texts: str, **fields: Any) -> ChatRequest:
    """A conversation: user, assistant, user, ..."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
    return ChatRequest(body={"model": "auto", "messages": messages, **fields}, deadline=anyio.current_time() + 20)


async def drafts(expert: McpServerExpert, queries: Iterable[str], emitted: Any) -> list[Draft]:
    return [await expert.draft(talk(query), emitted) for query in queries]


async def test_it_keeps_the_contract_of_experts(place: Any) -> None:
    """Specified: as an expert of one tool does."""
    async with whole(place, EXAMPLE, Reader(CONVERT), threshold=-1.0) as expert:
        assert isinstance(expert, Supervised)
        assert expert.condition.state == "up"
        await check_expert(expert)


async def test_each_query_gets_the_tool_that_fits_it(place: Any, emitted: Any) -> None:
    """Issue 6: a whole server is one expert; the draft tells the tool, and the shortlist best first."""
    asked = {
        "convert 5 miles to km: units of length": ("convert", {"quantity": "5 miles to km"}, "8.04672"),
        "arithmetic: the square root of 144": ("calculate", {"expression": "square root of 144"}, "12"),
        "how many days between two dates": (
            "date_math",
            {"question": "how many days between 2024-02-10 and 2024-03-01"},
            "20 days",
        ),
        "statistics: the median of a list of numbers": ("describe_numbers", {"numbers": "median of 3, 5, 8"}, "5"),
    }
    reader = Reader(*(json.dumps({"tool": tool, "arguments": given}) for tool, given, _ in asked.values()))
    async with whole(place, EXAMPLE, reader, shortlist=2) as expert:
        for (tool, _, said), draft in zip(asked.values(), await drafts(expert, asked, emitted), strict=True):
            assert said in draft.text
            assert draft.structured is not None
            assert draft.tool_choice is not None
            assert draft.tool_choice.tool == tool
            assert next(iter(draft.tool_choice.shortlist)) == tool
            assert len(draft.tool_choice.shortlist) == 2
            assert (draft.usage, draft.finish_reason) == (Usage(input_tokens=3, output_tokens=2), "stop")
    assert [shown[0] for shown in reader.shown] == [tool for tool, *_ in asked.values()]


async def test_the_extractor_is_held_to_the_schemas_of_the_shortlist(place: Any, emitted: Any) -> None:
    """Specified: no tool, or one of these by its name with arguments of its schema, or with what is missing."""
    reader = Reader(CONVERT)
    async with whole(place, EXAMPLE, reader, include=["convert"]) as expert:
        await expert.draft(talk(QUERY), emitted)
    format_ = reader.requests[0].body["response_format"]
    none, lacking, called = format_["json_schema"]["schema"]["anyOf"]
    assert none["properties"] == {"tool": {"type": "null"}}
    assert lacking["properties"]["missing"]["items"] == {"enum": ["quantity"]}
    assert called["properties"]["tool"] == {"const": "convert"}
    assert called["properties"]["arguments"]["required"] == ["quantity"]


async def test_a_query_that_no_tool_fits_is_refused_before_anyone_is_asked(place: Any, emitted: Any) -> None:
    """Issue 6: "no tool" is no failure of the server: the next expert is asked, and no breaker counts it."""
    reader = Reader(CONVERT)
    async with whole(place, EXAMPLE, reader) as expert:
        with pytest.raises(ExpertRejected, match="no tool fits the request"):
            await expert.draft(talk("zzz qqq"), emitted)
        assert expert.condition.state == "up"
    assert reader.requests == []


async def test_queries_that_no_tool_fits_open_no_breaker(place: Any, emitted: Any) -> None:
    """Issue 6: however many there are, the server's expert is asked again."""
    async with whole(place, EXAMPLE, Reader(CONVERT)) as expert:
        settings = McpSettings(server=EXAMPLE, arguments_by="reader")
        guard = Guard("box", settings, fair_s=20.0)
        for _ in range(20):
            with pytest.raises(ExpertRejected):
                await guard.draft(expert, talk("zzz qqq"), emitted)
        assert "8.04672" in (await guard.draft(expert, talk(QUERY), emitted)).text


async def test_the_extractor_may_say_that_no_tool_fits(place: Any, emitted: Any) -> None:
    """Ours: what sounds like a tool need not be for it."""
    async with whole(place, EXAMPLE, Reader('{"tool": null}')) as expert:
        with pytest.raises(ExpertRejected, match="no tool fits the request, says 'reader'"):
            await expert.draft(talk(QUERY), emitted)


@pytest.mark.parametrize(
    "replies",
    [
        ['{"tool": "weather", "arguments": {"days": 2}, "missing": ["city"]}'],
        ['{"tool": "weather", "arguments": {"days": 2}}'],
        ['{"tool": "weather", "arguments": {"days": 2, "city": null}}'],
    ],
    ids=["said", "left out twice", "null"],
)
async def test_what_is_missing_is_asked_for(replies: list[str], place: Any, weather: Any, emitted: Any) -> None:
    """Issue 6: the answer is a question that names the argument; the tool is not called."""
    async with whole(place, weather.settings, Reader(*replies)) as expert:
        draft = await expert.draft(talk("current weather of a city", stream=True), emitted)
    assert draft.text == "To use 'weather' I need to know: city."
    assert draft.finish_reason == "stop"
    assert draft.tool_choice is not None
    assert (draft.tool_choice.tool, draft.tool_choice.missing) == ("weather", ("city",))
    assembled = Assembled()
    for chunk in emitted:
        assembled.add(chunk)
    assert assembled.text == draft.text
    assert weather.calls == []


async def test_the_answer_to_a_question_is_understood_by_the_request_before(
    place: Any, weather: Any, emitted: Any
) -> None:
    """Ours: "Oslo" alone is like no tool; the extractor sees the conversation."""
    reader = Reader('{"tool": "weather", "arguments": {"city": "Oslo", "days": 2}}')
    async with whole(place, weather.settings, reader) as expert:
        draft = await expert.draft(talk("current weather for 2 days", "Of which city?", "Oslo"), emitted)
    assert draft.structured == {"city": "Oslo", "degrees": 14}
    briefing = json.loads(reader.requests[0].messages[1]["content"])
    assert [turn["text"] for turn in briefing["conversation"]] == [
        "current weather for 2 days",
        "Of which city?",
        "Oslo",
    ]


@pytest.mark.parametrize(
    "reply", ["no JSON", '{"tool": "wether"}', '{"tool": "convert", "arguments": {"quantity": 5}}']
)
async def test_a_reply_is_mended_once(reply: str, place: Any, emitted: Any) -> None:
    """Specified: it is told what is wrong; a second one of no use is a refusal."""
    reader = Reader(reply, CONVERT)
    async with whole(place, EXAMPLE, reader) as expert:
        draft = await expert.draft(talk(QUERY), emitted)
    assert "8.04672" in draft.text
    assert draft.usage == Usage(input_tokens=6, output_tokens=4)
    async with whole(place, EXAMPLE, Reader(reply)) as expert:
        with pytest.raises(ExpertRejected, match="'reader' picked no tool that could be called"):
            await expert.draft(talk(QUERY), emitted)


async def test_a_tool_that_may_destroy_is_not_shortlisted_unless_it_is_allowed(
    place: Any, workshop: Any, emitted: Any
) -> None:
    """Issue 6: destructive tools need `allow`; nobody has named them here."""
    wipe = '{"tool": "wipe", "arguments": {"what": "disk"}}'
    careful, bold = Reader(wipe), Reader(wipe)
    async with whole(place, workshop.settings, careful, threshold=-1.0) as expert:
        with pytest.raises(ExpertRejected):
            await expert.draft(talk("wipe"), emitted)
    assert all("wipe" not in shown for shown in careful.shown)
    assert workshop.calls == []
    async with whole(place, workshop.settings, bold, allow=True) as expert:
        assert (await expert.draft(talk("wipe"), emitted)).text == "disk is gone"


async def test_a_tool_that_comes_later_is_found(place: Any, workshop: Any, emitted: Any) -> None:
    """Issue 6: the index follows the server's list of tools."""
    grow = '{"tool": "grow", "arguments": {"name": "parrot"}}'
    reader = Reader(grow, '{"tool": "parrot", "arguments": {"text": "hello"}}')
    async with whole(place, workshop.settings, reader) as expert:
        connection = place.connection(workshop.settings)
        revision = connection.revision
        await expert.draft(talk("grow"), emitted)
        await connection.changed(revision)
        draft = await expert.draft(talk("parrot"), emitted)
    assert draft.text == "hello"
    assert draft.tool_choice is not None
    assert next(iter(draft.tool_choice.shortlist)) == "parrot"


async def test_only_tools_that_the_configuration_names_are_chosen(place: Any, emitted: Any) -> None:
    """Specified: `include` and `exclude` by names or patterns; a server of which none is left is down."""
    reader = Reader('{"tool": null}')
    async with whole(place, EXAMPLE, reader, include=["c*", "date_math"], exclude=["calc*"], threshold=-1.0) as expert:
        with pytest.raises(ExpertRejected):
            await expert.draft(talk(QUERY), emitted)
    assert [set(shown) for shown in reader.shown] == [{"convert", "date_math"}]
    async with whole(place, EXAMPLE, reader, include=["nothing"]) as expert:
        assert expert.condition.state == "down"
        with pytest.raises(ExpertUnavailable, match="none of its 4 tools"):
            await expert.draft(talk(QUERY), emitted)


async def test_examples_teach_which_tool_is_meant(place: Any, emitted: Any) -> None:
    """Issue 6: optional examples; those of a tool that is not there do not matter."""
    reader = Reader(CONVERT)
    examples = {"convert": ["what is that in metric"], "no_such_tool": ["x"]}
    async with whole(place, EXAMPLE, reader, examples=examples, shortlist=1) as expert:
        draft = await expert.draft(talk("in metric please"), emitted)
    assert draft.tool_choice == ToolChoice(tool="convert", shortlist=draft.tool_choice.shortlist)  # type: ignore[union-attr]


async def test_an_extractor_that_fails_is_named(place: Any, emitted: Any) -> None:
    """Specified: the failure is this expert's, and says whose it was first."""
    async with whole(place, EXAMPLE, Reader(ExpertUnavailable("reader", "gone"))) as expert:
        with pytest.raises(ExpertError, match="'reader' failed: gone") as caught:
            await expert.draft(talk(QUERY), emitted)
    assert caught.value.expert == "box"


@pytest.mark.parametrize(
    "settings",
    [{}, {"tool": "t", "tools": {}}, {"arguments": {"a": "{query}"}}, {"arguments_by": "r", "tools": {"shortlist": 0}}],
)
def test_a_whole_server_needs_an_expert_that_reads_arguments(settings: dict[str, Any]) -> None:
    """Ours: neither tool nor arguments_by, or both tool and tools, is a mistake in the file."""
    with pytest.raises(ValidationError):
        McpSettings.model_validate({"server": {"command": "x"}, **settings})
