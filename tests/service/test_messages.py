"""POST /v1/messages: what goes to the experts, what comes back whole and as events, and what is refused."""

from typing import Any

import orjson
import pytest

from orchestrator.errors import ExpertCut, ExpertOverloaded
from orchestrator.testing import Answer, Reply, ScriptedExpert
from tests.service.serving import served
from tests.service.test_responses import CALLS, CATEGORIES, over

pytestmark = pytest.mark.anyio

PATH = "/v1/messages"


def asked(text: str = "math q", **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "max_tokens": 64, "messages": [{"role": "user", "content": text}], **fields}


def events(text: str) -> list[dict[str, Any]]:
    blocks = text.split("\n\n")
    assert blocks.pop() == ""
    found = [orjson.loads(block.split("\n")[1].removeprefix("data: ")) for block in blocks]
    assert [block.split("\n")[0] for block in blocks] == [f"event: {event['type']}" for event in found]
    return found


async def test_a_message_has_the_answer_as_a_block() -> None:
    """With the expert as model, the reason why it ended and the tokens."""
    async with served(ScriptedExpert("solver", "42"), categories=CATEGORIES) as client:
        response = await client.post(PATH, json=asked())
    found = response.json()
    assert (found["type"], found["role"], found["model"]) == ("message", "assistant", "solver")
    assert (found["content"], found["stop_reason"]) == ([{"type": "text", "text": "42"}], "end_turn")
    assert response.headers["x-orchestrator-expert"] == "solver"


async def test_blocks_become_a_conversation(tmp_path: Any) -> None:
    """System blocks, images, calls of tools, their results, thoughts that stay out, and a forced choice."""
    body = {
        "model": "solver",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"far": True}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a cat"}]},
                {"type": "text", "text": "So?"},
            ]},
        ],
        "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "top_k": 5,
    }  # fmt: skip
    async with over(Answer(pieces=("ok",)), tmp_path) as (client, server):
        assert (await client.post(PATH, json=body)).status_code == 200
        sent = orjson.loads(server.requests[-1].raw)
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"far":true}'}}
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ]},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "a cat"},
        {"role": "user", "content": "So?"},
    ]  # fmt: skip
    assert sent["tools"][0]["function"] == {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert (sent["parallel_tool_calls"], sent["stop"], sent["user"], sent["top_k"]) == (False, ["END"], "u1", 5)


async def test_a_stream_has_blocks_in_order(tmp_path: Any) -> None:
    """Thought, text and parallel calls, each begun and ended; then why it ended, and the tokens."""
    answer = Answer(reasoning=("hm", "m"), pieces=("one", " two"), tool_calls=CALLS, finish_reason="tool_calls")
    async with over(answer, tmp_path) as (client, _):
        found = events((await client.post(PATH, json=asked(stream=True))).text)
        whole = (await client.post(PATH, json=asked())).json()
    assert (found[0]["type"], found[-1]["type"]) == ("message_start", "message_stop")
    starts = [event["content_block"]["type"] for event in found if event["type"] == "content_block_start"]
    assert starts == ["thinking", "text", "tool_use", "tool_use"]
    stops = [event["index"] for event in found if event["type"] == "content_block_stop"]
    assert stops == [0, 1, 2, 3]
    parts: dict[int, str] = {}
    for event in found:
        if event["type"] == "content_block_delta":
            delta = event["delta"]
            piece = delta.get("text") or delta.get("thinking") or delta.get("partial_json")
            parts[event["index"]] = parts.get(event["index"], "") + piece
    assert parts == {0: "hmm", 1: "one two", 2: '{"city": "Oslo"}', 3: '{"city": "Rome"}'}
    assert found[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert found[-2]["usage"] == whole["usage"]
    assert [block.get("input") for block in whole["content"][2:]] == [{"city": "Oslo"}, {"city": "Rome"}]


async def test_why_an_answer_ended_is_said_in_its_words(tmp_path: Any) -> None:
    """The limit of tokens, and the sequence that stopped it where the server names it."""
    async with over(Answer(pieces=("a", "b")), tmp_path) as (client, _):
        assert (await client.post(PATH, json=asked(max_tokens=1))).json()["stop_reason"] == "max_tokens"


async def test_errors_have_anthropics_shape() -> None:
    """Before the first byte as a response, after it as an event."""
    busy = ScriptedExpert("solver", ExpertOverloaded("solver", "busy", retry_after_s=3))
    async with served(busy, categories=CATEGORIES) as client:
        refused = await client.post(PATH, json=asked())
        unknown = await client.post(PATH, json=asked(model="nobody"))
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "overloaded_error")
    assert refused.headers["retry-after"] == "3"
    assert (unknown.status_code, unknown.json()["type"], unknown.json()["error"]["type"]) == (
        404,
        "error",
        "not_found_error",
    )
    broken = Reply(pieces=("half",), error=ExpertCut("solver", "cut off"))
    async with served(ScriptedExpert("solver", broken), categories=CATEGORIES) as client:
        last = events((await client.post(PATH, json=asked(stream=True))).text)[-1]
    assert (last["type"], last["error"]["type"]) == ("error", "api_error")


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": None},
        {"max_tokens": 0},
        {"messages": []},
        {"messages": [{"role": "system", "content": "x"}]},
        {"container": "box"},
        {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
        {"messages": [7]},
        {"system": 7},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tool_choice": {"type": "maybe"}},
        {"metadata": "x"},
    ],
)
async def test_what_cannot_be_done_is_refused(fields: dict[str, Any]) -> None:
    """With one clear message, before any expert is asked."""
    solver = ScriptedExpert("solver", "42")
    async with served(solver, categories=CATEGORIES) as client:
        response = await client.post(PATH, json=asked() | fields)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert not solver.requests


async def test_the_key_may_come_as_anthropics_clients_send_it() -> None:
    """In `x-api-key`; without one, the refusal has the shape too."""
    async with served(ScriptedExpert("solver", "42"), categories=CATEGORIES, serve={"keys": "secret"}) as client:
        with_key = await client.post(PATH, json=asked(), headers={"x-api-key": "secret"})
        wrong = await client.post(PATH, json=asked(), headers={"x-api-key": "guess"})
    assert (with_key.status_code, wrong.status_code) == (200, 401)
    assert wrong.json()["error"]["type"] == "authentication_error"
