"""POST /v1/responses: what goes to the experts, what comes back whole and as events, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertCut
from orchestrator.experts import Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.testing import Answer, FakeVLLM, Reply, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
CATEGORIES = {"math": ["solver"], "general": ["solver"]}
CALLS = tuple(
    {"id": f"call_{city}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'}}
    for city in ("Oslo", "Rome")
)


@asynccontextmanager
async def over(answer: Answer, tmp_path: Any) -> AsyncIterator[tuple[httpx.AsyncClient, FakeVLLM]]:
    """The service over a faked server that says this."""
    async with FakeVLLM(models=("m",)) as server:
        server.answer = answer

        def none(name: str) -> Any:
            raise AssertionError(name)

        site = Site(folder=tmp_path, cache=tmp_path, expert=none, embedder=none)
        solver = VllmExpert("solver", VllmSettings(model="m", replicas=(server.url,)), site)
        async with served(solver, categories=CATEGORIES) as client:
            yield client, server


def events(text: str) -> list[dict[str, Any]]:
    """The events of a whole stream; each is named as its type, and numbered from 0."""
    blocks = text.split("\n\n")
    assert blocks.pop() == ""
    found = []
    for block in blocks:
        name, data = block.split("\n")
        found.append(orjson.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


async def test_a_response_has_the_answer_as_a_message() -> None:
    """And the decision's headers, the expert as model, what was asked for repeated, and nothing stored."""
    async with served(ScriptedExpert("solver", "42"), categories=CATEGORIES) as client:
        response = await client.post(PATH, json={"input": "math q", "instructions": "Be brief.", "temperature": 0.5})
    found = response.json()
    assert (found["object"], found["status"], found["model"], found["store"]) == (
        "response",
        "completed",
        "solver",
        False,
    )
    assert found["output"][0]["content"] == [{"type": "output_text", "text": "42", "annotations": [], "logprobs": []}]
    assert (found["instructions"], found["temperature"], found["error"]) == ("Be brief.", 0.5, None)
    assert response.headers["x-orchestrator-expert"] == "solver"


async def test_items_become_a_conversation(tmp_path: Any) -> None:
    """Instructions, parts, images, calls of functions and their results; thoughts of before stay out."""
    body = {
        "model": "solver",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "What is this?"}]},
            {"type": "reasoning", "summary": [], "content": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "look", "arguments": '{"again": true}'},
            {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
            {"role": "user", "content": [
                {"type": "input_text", "text": "And this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
            ]},
        ],
        "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}],
        "tool_choice": {"type": "function", "name": "look"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 9,
        "vendor_field": 7,
    }  # fmt: skip
    async with over(Answer(pieces=("ok",)), tmp_path) as (client, server):
        assert (await client.post(PATH, json=body)).status_code == 200
        sent = orjson.loads(server.requests[-1].raw)
    function = {"name": "look", "parameters": {"type": "object"}, "strict": True}
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            {"id": "c2", "type": "function", "function": {"name": "look", "arguments": '{"again": true}'}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        {"role": "user", "content": [
            {"type": "text", "text": "And this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        ]},
    ]  # fmt: skip
    assert sent["tools"] == [{"type": "function", "function": function}]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert sent["response_format"]["json_schema"]["name"] == "n"
    assert (sent["reasoning_effort"], sent["max_completion_tokens"], sent["vendor_field"]) == ("low", 9, 7)
    assert "input" not in sent


async def test_a_stream_has_typed_events_in_order(tmp_path: Any) -> None:
    """Thought, text and parallel calls each as an item with its own events; the last event has all of it."""
    answer = Answer(reasoning=("hm", "m"), pieces=("one", " two"), tool_calls=CALLS, finish_reason="tool_calls")
    async with over(answer, tmp_path) as (client, _):
        text = (await client.post(PATH, json={"input": "math", "stream": True})).text
        whole = (await client.post(PATH, json={"input": "math"})).json()
    found = events(text)
    kinds = [event["type"].removeprefix("response.") for event in found]
    assert kinds[:2] == ["created", "in_progress"]
    assert kinds[-1] == "completed"
    assert [kind for kind in kinds if kind.endswith(("added", "done"))] == [
        "output_item.added", "reasoning_text.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "output_item.added",
        "function_call_arguments.done", "output_item.done", "function_call_arguments.done", "output_item.done",
    ]  # fmt: skip
    for kind, expected in (("reasoning_text", "hmm"), ("output_text", "one two")):
        assert "".join(event["delta"] for event in found if event["type"] == f"response.{kind}.delta") == expected
    response = found[-1]["response"]
    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [item.get("arguments") for item in response["output"][2:]] == ['{"city": "Oslo"}', '{"city": "Rome"}']
    assert (
        response["usage"]["total_tokens"] == response["usage"]["input_tokens"] + response["usage"]["output_tokens"] > 0
    )
    strip = [{k: v for k, v in item.items() if k != "id"} for item in response["output"]]
    assert strip == [{k: v for k, v in item.items() if k != "id"} for item in whole["output"]]


async def test_an_answer_that_was_cut_is_incomplete(tmp_path: Any) -> None:
    """Whole and streamed, with the reason."""
    async with over(Answer(pieces=("a", "b", "c")), tmp_path) as (client, _):
        body = {"input": "math", "max_output_tokens": 2}
        whole = (await client.post(PATH, json=body)).json()
        last = events((await client.post(PATH, json={**body, "stream": True})).text)[-1]
    assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (last["type"], last["response"]["incomplete_details"]) == (
        "response.incomplete",
        {"reason": "max_output_tokens"},
    )
    assert [item["status"] for item in (*whole["output"], *last["response"]["output"])] == ["incomplete"] * 2


async def test_a_stream_that_breaks_off_ends_as_failed() -> None:
    """With the error in the response, after what had gone out."""
    broken = Reply(pieces=("half",), error=ExpertCut("solver", "cut off"))
    async with served(ScriptedExpert("solver", broken), categories=CATEGORIES) as client:
        text = (await client.post(PATH, json={"input": "math", "stream": True})).text
    last = events(text)[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert "cut off" in last["response"]["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]}, "input[0]"),
        ({"input": "q", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": "q", "background": True}, "background"),
        ({"input": "q", "tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": "q", "tools": "x"}, "tools"),
        ({"input": "q", "text": {"format": {"type": "xml"}}}, "text.format"),
        ({"input": "q", "instructions": 7}, "instructions"),
        ({"input": "q", "model": "nobody"}, "model"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_its_place(body: dict[str, Any], param: str) -> None:
    """OpenAI's error body, before any expert is asked."""
    solver = ScriptedExpert("solver", "42")
    async with served(solver, categories=CATEGORIES) as client:
        response = await client.post(PATH, json=body)
    assert response.status_code == (404 if param == "model" else 400)
    assert response.json()["error"]["param"] == param
    assert not solver.requests
