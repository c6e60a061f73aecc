"""The MCP tool as an expert: arguments, results, errors."""

from typing import Any

import anyio
import orjson
import pytest

from orchestrator.config.kinds import McpServerSettings
from orchestrator.errors import ExpertOverloaded, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts import Supervised
from orchestrator.testing import ScriptedExpert, check_expert, in_service
from orchestrator.types import Usage
from orchestrator.wire import Assembled

pytestmark = pytest.mark.anyio


async def test_it_keeps_the_contract_of_experts(weather: Any, place: Any) -> None:
    """Specified: with a template, and with a query in the one string."""
    assert isinstance(place.expert(weather.settings, tool="echo"), Supervised)
    for settings in ({"tool": "echo"}, {"tool": "weather", "arguments": {"city": "{query}", "days": 2}}):
        expert = place.expert(weather.settings, **settings)
        async with in_service(expert):
            assert expert.condition.state == "up"
            await check_expert(expert)


async def test_a_template_fills_the_arguments(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: the tool sees what the template says; its result is text and data."""
    expert = place.expert(weather.settings, tool="weather", arguments={"city": "{query}", "days": 3})
    with anyio.fail_after(20):
        async with in_service(expert):
            draft = await expert.draft(asked("Oslo"), emitted)
    assert weather.calls == [{"city": "Oslo", "days": 3}]
    assert draft.structured == {"city": "Oslo", "degrees": 21}
    assert orjson.loads(draft.text) == draft.structured
    assert (draft.usage, draft.first_token_s, emitted) == (Usage(), None, [])


async def test_a_streamed_result_is_chunks(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: role, text, end, and usage where it is asked for."""
    expert = place.expert(weather.settings, tool="echo")
    with anyio.fail_after(20):
        async with in_service(expert):
            request = asked("hello", stream=True, stream_options={"include_usage": True})
            draft = await expert.draft(request, emitted)
    assembled = Assembled()
    for chunk in emitted:
        assembled.add(chunk)
    assert assembled.text == draft.text == "hello"
    assert assembled.finish_reason == "stop"
    assert len(emitted) == 4


async def test_other_content_is_named(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: images and links are mentioned in the text."""
    expert = place.expert(weather.settings, tool="album")
    with anyio.fail_after(20):
        async with in_service(expert):
            draft = await expert.draft(asked("cats"), emitted)
    assert draft.text == "Of cats:\n[image: image/png]\n[more](file:///cats)"
    assert draft.structured is None


async def test_an_error_of_the_tool_is_a_refusal_with_its_message(
    weather: Any, place: Any, asked: Any, emitted: Any
) -> None:
    """Specified: what the tool says is what the caller reads."""
    expert = place.expert(weather.settings, tool="weather", arguments={"city": "{query}", "days": 1})
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(ExpertRejected) as caught:
                await expert.draft(asked("Atlantis", stream=True), emitted)
    assert str(caught.value).endswith("no such city")
    assert emitted == []


async def test_a_flood_is_no_answer(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: a result of more than `max_result_kb` is refused, and the tool not called again for it."""
    expert = place.expert(weather.settings, tool="flood")
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(ExpertRejected) as caught:
                await expert.draft(asked("x"), emitted)
    assert str(caught.value) == "'flood' returned 300,004 bytes, more than 262,144 (max_result_kb)"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"tool": "get_weather"},
            "no tool 'get_weather' (known: album, echo, flood, hold, refuse, weather; did you mean 'weather'?)",
        ),
        ({"tool": "zzz"}, "no tool 'zzz' (known: album, echo, flood, hold, refuse, weather)"),
        (
            {"tool": "weather"},
            "tool 'weather' does not require just one string: give 'arguments' or 'arguments_by'",
        ),
    ],
)
async def test_a_tool_that_cannot_be_called_is_a_condition(
    weather: Any, place: Any, asked: Any, settings: dict[str, Any], reason: str
) -> None:
    """Specified: down with the reason and what to do."""
    expert = place.expert(weather.settings, **settings)
    with anyio.fail_after(20):
        async with in_service(expert):
            assert (expert.condition.state, expert.condition.reason) == ("down", reason)
            with pytest.raises(ExpertUnavailable):
                await expert.draft(asked("x"), _nowhere)


async def test_arguments_that_do_not_fit_never_reach_the_server(
    weather: Any, place: Any, asked: Any, emitted: Any
) -> None:
    """Specified: checked against the schema first, those of a template too."""
    expert = place.expert(weather.settings, tool="weather", arguments={"city": "{query}", "days": 8})
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(ExpertRejected) as caught:
                await expert.draft(asked("Oslo"), emitted)
    assert str(caught.value) == "the arguments do not fit 'weather': $.days: 8 is greater than the maximum of 7"
    assert weather.calls == []


async def test_another_expert_extracts_the_arguments(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: it sees tool and request as data, and is asked for JSON of the schema at temperature 0."""
    extractor = place.experts["small"] = ScriptedExpert("small", 'Sure:\n```json\n{"city": "Oslo", "days": 2}\n```')
    expert = place.expert(weather.settings, tool="weather", arguments_by="small")
    with anyio.fail_after(20):
        async with in_service(expert):
            request = asked("Oslo the day after tomorrow", stream=True, max_tokens=1, tools=[], temperature=1)
            draft = await expert.draft(request, emitted)
    [seen] = extractor.requests
    assert not seen.stream
    assert seen.deadline == request.deadline
    assert seen.body["temperature"] == 0
    assert "tools" not in seen.body
    schema = seen.body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["city", "days"]
    assert [message["role"] for message in seen.messages] == ["system", "user"]
    assert orjson.loads(seen.messages[1]["content"]) == {
        "tool": {"name": "weather", "description": "Current weather of a city.", "arguments": schema},
        "request": "Oslo the day after tomorrow",
    }
    assert weather.calls == [{"city": "Oslo", "days": 2}]
    assert draft.usage == Usage(input_tokens=3, output_tokens=2)


async def test_an_extraction_is_mended_once(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: the second try sees the first and what was wrong with it."""
    extractor = ScriptedExpert("small", '{"city": "Oslo", "days": 0}', '{"city": "Oslo", "days": 1}')
    place.experts["small"] = extractor
    expert = place.expert(weather.settings, tool="weather", arguments_by="small")
    with anyio.fail_after(20):
        async with in_service(expert):
            draft = await expert.draft(asked("Oslo"), emitted)
    *_, first, complaint = extractor.requests[1].messages
    assert first == {"role": "assistant", "content": '{"city": "Oslo", "days": 0}'}
    assert "$.days: 0 is less than the minimum of 1" in complaint["content"]
    assert weather.calls == [{"city": "Oslo", "days": 1}]
    assert draft.usage == Usage(input_tokens=6, output_tokens=4)


async def test_an_extraction_that_fails_twice_is_refused(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: two tries, no call, and the reason."""
    extractor = place.experts["small"] = ScriptedExpert("small", "I cannot", '{"city": 7, "days": 1}')
    expert = place.expert(weather.settings, tool="weather", arguments_by="small")
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(ExpertRejected) as caught:
                await expert.draft(asked("Oslo"), emitted)
    assert str(caught.value) == "'small' found no arguments for 'weather': $.city: 7 is not of type 'string'"
    assert len(extractor.requests) == 2
    assert weather.calls == []


async def test_a_failure_of_the_extractor_is_passed_on(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Ours: of the same kind, under this expert's name."""
    place.experts["small"] = ScriptedExpert("small", ExpertOverloaded("small", "busy", retry_after_s=2))
    expert = place.expert(weather.settings, tool="weather", arguments_by="small")
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(ExpertOverloaded) as caught:
                await expert.draft(asked("Oslo"), emitted)
    assert (caught.value.expert, str(caught.value), caught.value.retry_after_s) == ("tool", "'small' failed: busy", 2)


async def test_a_request_without_text_is_rejected_unless_a_template_stands(
    weather: Any, place: Any, asked: Any, emitted: Any
) -> None:
    """Ours: a template may need no query at all."""
    bare = place.expert(weather.settings, tool="echo")
    fixed = place.expert(weather.settings, tool="echo", arguments={"text": "status"})
    with anyio.fail_after(20):
        async with in_service(bare, fixed):
            with pytest.raises(ExpertRejected):
                await bare.draft(asked(""), emitted)
            assert (await fixed.draft(asked(""), emitted)).text == "status"


async def test_the_requests_deadline_ends_a_call(weather: Any, place: Any, asked: Any, emitted: Any) -> None:
    """Specified: whichever is earlier, the deadline or the settings' limit."""
    expert = place.expert(weather.settings, tool="hold", timeout_s=600)
    with anyio.fail_after(20):
        async with in_service(expert):
            with pytest.raises(ExpertTimeout):
                await expert.draft(asked("x", deadline_s=0.05), emitted)
            assert expert.condition.state == "up"


async def test_a_request_while_starting_waits_until_its_deadline(
    weather: Any, place: Any, asked: Any, emitted: Any
) -> None:
    """Specified: it is answered once the server is connected, and late when it is not in time."""
    expert = place.expert(weather.settings, tool="echo")
    assert expert.condition.state == "starting"
    with anyio.fail_after(20):
        with pytest.raises(ExpertTimeout):
            await expert.draft(asked("x", deadline_s=0.01), emitted)
        async with anyio.create_task_group() as group:
            group.start_soon(expert.serve)
            assert (await expert.draft(asked("x"), emitted)).text == "x"
            group.cancel_scope.cancel()


def test_settings_name_one_way_to_a_server() -> None:
    """Specified: command or URL."""
    with pytest.raises(ValueError, match="either command"):
        McpServerSettings(command="a", url="http://127.0.0.1/mcp")


async def _nowhere(_: object) -> None:
    """An `emit` for answers that are not streamed."""
