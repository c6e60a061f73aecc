"""Answers of model servers with parts that are not of chat: the translated surfaces say so, and do not break."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.testing import Reply, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

BODIES: dict[str, dict[str, Any]] = {
    "/v1/responses": {"model": "writer", "input": "hi"},
    "/v1/messages": {
        "model": "writer",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "stop_sequences": ["END"],
    },
}
LAST = {"/v1/responses": "response.failed", "/v1/messages": "error"}


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def chunk(choice: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "writer", "choices": [choice], **fields}).encode()


GOOD = chunk({"index": 0, "delta": {"content": "Par"}})
END = chunk({"index": 0, "delta": {}, "finish_reason": "stop"})
ODD: dict[str, dict[str, Any]] = {
    "a thought that is no text": {"delta": {"reasoning_content": {"a": 1}}},
    "a number as text": {"delta": {"reasoning": 5}},
    "calls that are no list": {"delta": {"tool_calls": 5}},
    "calls that are texts": {"delta": {"tool_calls": ["f"]}},
    "a call at no place": {"delta": {"tool_calls": [{"index": "first", "function": {"name": "f"}}]}},
    "a call of a list": {"delta": {"tool_calls": [{"index": 0, "function": ["f"]}]}},
    "a name that is no text": {"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": {"a": 1}}}]}},
    "an id that is no text": {"delta": {"tool_calls": [{"index": 0, "id": [], "function": {"name": "f"}}]}},
    "arguments that are no text": {"delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": 5}}]}},
    "a reason that is an object": {"delta": {}, "finish_reason": {"a": 1}},
    "a reason that is a list": {"delta": {}, "finish_reason": ["stop"]},
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_a_stream_with_an_odd_part_ends_with_an_error_event(path: str, odd: dict[str, Any]) -> None:
    """After what came before it, and as the surface tells of failures."""
    writer = ScriptedExpert("writer", Reply(chunks=(GOOD, chunk({"index": 0, **odd}), END)))
    async with served(writer, categories={"general": ["writer"]}) as client:
        response = await client.post(path, json=BODIES[path] | {"stream": True})
        health = await client.get("/health")
    events = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    last = json.loads(events[-1])
    assert (response.status_code, last["type"], health.status_code) == (200, LAST[path], 200)
    assert "writer" in response.text


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "usage", [5, ["a"], {"prompt_tokens": "many"}, {"prompt_tokens_details": [1]}, {"completion_tokens": 1e300}]
)
async def test_a_stream_with_an_odd_usage_ends_with_an_error_event(path: str, usage: object) -> None:
    """Counts are whole numbers."""
    counted = json.dumps({"model": "writer", "choices": [], "usage": usage}).encode()
    writer = ScriptedExpert("writer", Reply(chunks=(GOOD, END, counted)))
    async with served(writer, categories={"general": ["writer"]}) as client:
        response = await client.post(path, json=BODIES[path] | {"stream": True})
    events = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    assert (response.status_code, json.loads(events[-1])["type"]) == (200, LAST[path])


@pytest.mark.parametrize("path", BODIES)
async def test_a_chunk_that_nests_too_deeply_ends_a_stream_with_an_error_event(path: str) -> None:
    """Its parts stand deeper in the events than in the chunk."""
    deep = {"index": 0, "delta": {"content": "is"}, "logprobs": {"content": nested(248)}}
    writer = ScriptedExpert("writer", Reply(chunks=(GOOD, chunk(deep), END)))
    async with served(writer, categories={"general": ["writer"]}) as client:
        response = await client.post(path, json=BODIES[path] | {"stream": True})
    events = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    assert (response.status_code, json.loads(events[-1])["type"]) == (200, LAST[path])


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("odd", [odd for name, odd in ODD.items() if name != "a call at no place"])
async def test_a_whole_answer_with_an_odd_part_is_a_502(path: str, odd: dict[str, Any]) -> None:
    """With the decision's headers; the decision says that the request failed."""
    fields = {name: value for name, value in odd.items() if name != "delta"}
    message = {"role": "assistant", "content": "Paris", **odd["delta"]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **fields}
    body = json.dumps({"model": "writer", "choices": [choice]}).encode()
    writer = ScriptedExpert("writer", Reply(completion=body))
    async with served(writer, categories={"general": ["writer"]}) as client:
        response = await client.post(path, json=BODIES[path])
        decision = await client.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}")
    assert response.status_code == 502, response.text
    assert response.json()["error"]["message"]
    assert decision.json()["error"]["kind"] == "ExpertFailed"


@pytest.mark.parametrize("path", BODIES)
async def test_content_in_parts_is_read_as_its_text(path: str) -> None:
    """Some servers send it so; chat passes it on as it is."""
    parts = [{"type": "text", "text": "Par"}, {"type": "text", "text": "is"}]
    body = json.dumps({"model": "writer", "choices": [{"message": {"role": "assistant", "content": parts}}]}).encode()
    delta = chunk({"index": 0, "delta": {"content": parts}})
    writer = ScriptedExpert("writer", Reply(completion=body), Reply(chunks=(delta, END)))
    async with served(writer, categories={"general": ["writer"]}) as client:
        whole = await client.post(path, json=BODIES[path])
        streamed = await client.post(path, json=BODIES[path] | {"stream": True})
    assert '"text":"Par\\nis"' in whole.text
    assert "Par\\nis" in streamed.text
