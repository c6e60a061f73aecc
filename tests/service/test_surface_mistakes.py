"""Bodies that no client should send to the translated surfaces: each is a mistake with a place, never a defect."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.testing import ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
MESSAGES, RESPONSES, CHAT = "/v1/messages", "/v1/responses", "/v1/chat/completions"


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def turn(role: Any = "user", content: Any = "hi") -> Json:
    return {"max_tokens": 9, "messages": [{"role": role, "content": content}]}


MISTAKES: list[tuple[str, Json]] = [
    (MESSAGES, turn(role={})),
    (MESSAGES, turn(role=[])),
    (MESSAGES, turn(content=[{"type": []}])),
    (MESSAGES, turn("assistant", [{"type": {}}])),
    (MESSAGES, turn(content=[{"type": "image", "source": {"type": []}}])),
    (MESSAGES, turn() | {"tool_choice": {"type": []}}),
    (MESSAGES, turn() | {"tools": [{"type": {}}]}),
    (MESSAGES, turn() | {"stream": "yes"}),
    (MESSAGES, turn() | {"stream": {}}),
    (MESSAGES, turn() | {"stop_sequences": "end"}),
    (MESSAGES, turn() | {"stop_sequences": 5}),
    (MESSAGES, turn() | {"stop_sequences": [{}]}),
    (MESSAGES, turn("assistant", [{"type": "tool_use", "id": "1", "name": "f", "input": nested(300)}])),
    (MESSAGES, turn() | {"metadata": {"user_id": nested(300)}}),
    (MESSAGES, turn("assistant", [{"type": "tool_use", "id": "1", "name": "f", "input": [1]}])),
    (MESSAGES, turn("assistant", [{"type": "tool_use", "id": 1, "name": "f", "input": {}}])),
    (MESSAGES, turn("assistant", [{"type": "tool_use", "id": "1", "input": {}}])),
    (MESSAGES, turn(content=[{"type": "tool_result", "content": "5"}])),
    (MESSAGES, turn(content=[{"type": "tool_result", "tool_use_id": "1", "content": 0}])),
    (MESSAGES, turn(content=[{"type": "image", "source": {"type": "url", "url": 5}}])),
    (MESSAGES, turn(content=[{"type": "image", "source": {"type": "base64", "data": "AA=="}}])),
    (MESSAGES, turn() | {"max_tokens": 2.5}),
    (MESSAGES, turn() | {"max_tokens": 1e300}),
    (RESPONSES, {"input": "hi", "max_output_tokens": 0}),
    (RESPONSES, {"input": "hi", "max_output_tokens": True}),
    (RESPONSES, {"input": [{"type": "function_call", "call_id": "1", "name": "f", "arguments": {}}]}),
    (RESPONSES, {"input": [{"type": "function_call_output", "output": "5"}]}),
    (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "1", "output": None}]}),
    (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}),
    (RESPONSES, {"input": [{"role": "user", "content": [{"type": {}}]}]}),
    (RESPONSES, {"input": [{"role": "user", "content": [{"type": []}]}]}),
    (RESPONSES, {"input": [{"type": []}]}),
    (RESPONSES, {"input": [{"role": "user", "content": None}]}),
    (RESPONSES, {"input": [{"role": "user"}]}),
    (RESPONSES, {"input": [{"role": "user", "content": 5}]}),
    (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "1", "output": [{"type": {}}]}]}),
    (RESPONSES, {"input": [{"type": "reasoning"}]}),
    (RESPONSES, {"input": "hi", "stream": "yes"}),
    (RESPONSES, {"input": "hi", "stream": []}),
    (RESPONSES, {"input": "hi", "tools": [{"type": {}}]}),
    (RESPONSES, {"input": "hi", "text": {"format": {"type": []}}}),
    (RESPONSES, {"input": "hi", "metadata": nested(300)}),
    (CHAT, {"messages": [{"role": "user", "content": "hi"}], "metadata": nested(300)}),
]


@pytest.mark.parametrize(("path", "body"), MISTAKES, ids=[f"{path} {str(body)[:60]}" for path, body in MISTAKES])
async def test_a_body_that_is_wrong_is_refused_with_400(path: str, body: Json) -> None:
    """With a message in the surface's form, and without asking an expert."""
    writer = ScriptedExpert("writer")
    async with served(writer, categories={"general": ["writer"]}) as client:
        response = await client.post(path, json=body)
    assert (response.status_code, writer.requests) == (400, [])
    assert response.json()["error"]["message"]


async def test_the_field_that_is_wrong_is_named_as_the_client_called_it() -> None:
    """Not as it is called after translation."""
    async with served(ScriptedExpert("writer"), categories={"general": ["writer"]}) as client:
        thoughts = await client.post(RESPONSES, json={"input": [{"type": "reasoning"}]})
        stream = await client.post(RESPONSES, json={"input": "hi", "stream": "yes"})
    assert [each.json()["error"]["param"] for each in (thoughts, stream)] == ["input", "stream"]


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, "/v1/embeddings", "/v1/route", "/v1/search"])
async def test_a_body_that_is_nested_too_deeply_is_refused(path: str) -> None:
    """It could not be written again: for an expert, or into the answer that repeats it."""
    async with served(ScriptedExpert("writer"), categories={"general": ["writer"]}) as client:
        response = await client.post(path, json={"extra": nested(300)})
    assert response.status_code == 400
    assert "nested" in response.json()["error"]["message"]


async def test_a_long_flat_body_is_not_taken_for_a_deep_one() -> None:
    """Any number of messages."""
    writer = ScriptedExpert("writer", "fine")
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}] * 600
    async with served(writer, categories={"general": ["writer"]}) as client:
        response = await client.post(CHAT, json={"messages": messages})
    assert response.status_code == 200


async def test_a_whole_number_may_have_a_point() -> None:
    """2.0 is one by the schema of the document; experts get 2."""
    writer = ScriptedExpert("writer", "fine", "fine")
    async with served(writer, categories={"general": ["writer"]}) as client:
        message = await client.post(MESSAGES, json=turn() | {"max_tokens": 2.0})
        response = await client.post(RESPONSES, json={"input": "hi", "max_output_tokens": 2.0})
    assert (message.status_code, response.status_code) == (200, 200)
    asked = [writer.requests[0].body["max_tokens"], writer.requests[1].body["max_completion_tokens"]]
    assert [(type(each), each) for each in asked] == [(int, 2), (int, 2)]


async def test_no_model_is_auto_on_every_surface() -> None:
    """Left out, or null; a name of blanks alone is a mistake."""
    bodies = {CHAT: {"messages": [{"role": "user", "content": "hi"}]}, RESPONSES: {"input": "hi"}, MESSAGES: turn()}
    async with served(ScriptedExpert("writer"), categories={"general": ["writer"]}) as client:
        for path, body in bodies.items():
            statuses = [(await client.post(path, json=body | more)).status_code for more in ({}, {"model": None})]
            blank = await client.post(path, json=body | {"model": "\u001c\u2003"})
            assert ([*statuses, blank.status_code]) == [200, 200, 400], path
