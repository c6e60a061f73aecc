"""The whole product over real vLLM servers, through REST, as a client has it."""

import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import openai
import pytest

from tests.vllm.conftest import Fleet

CHAT = "/v1/chat/completions"
PATIENCE_S = 240


@pytest.fixture
def client(fleet: Fleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.url, timeout=PATIENCE_S, trust_env=False) as one:
        yield one


def body(text: str, **fields: Any) -> dict[str, Any]:
    fields = {"model": "base", "temperature": 0, "max_tokens": 24, **fields}
    return {"messages": [{"role": "user", "content": text}], **fields}


def test_a_chat_is_answered_by_the_expert_that_the_router_chose(client: httpx.Client) -> None:
    """Classified, sent to an adapter on the base's server, relayed, and on record."""
    answer = client.post(CHAT, json=body("fix this traceback", model="auto"))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["model"], answer.headers["x-orchestrator-category"]) == ("first", "code")
    assert answer.json()["usage"]["completion_tokens"] > 0
    decision = client.get(f"/v1/decisions/{answer.headers['x-orchestrator-decision-id']}").json()
    assert [(call["expert"], call["outcome"]) for call in decision["attempts"]] == [("first", "answered")]
    assert decision["attempts"][0]["tokens"]["output"] == answer.json()["usage"]["completion_tokens"]


def test_a_stream_adds_up_to_the_whole_answer(fleet: Fleet) -> None:
    """With the official client: greedy text is the same either way, and usage comes last when asked for."""
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key="none", timeout=PATIENCE_S) as official:
        messages: Any = [{"role": "user", "content": "What is the capital of France?"}]
        whole = official.chat.completions.create(model="base", messages=messages, temperature=0, max_tokens=24)
        stream = official.chat.completions.create(
            model="base",
            messages=messages,
            temperature=0,
            max_tokens=24,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content != ""
    assert {chunk.model for chunk in chunks} == {"base"}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == (whole.usage and whole.usage.completion_tokens)


def test_structured_output_keeps_its_schema(client: httpx.Client) -> None:
    """`response_format` goes through untouched, and the server obeys it."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "large": {"type": "boolean"}},
        "required": ["city", "large"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    answer = client.post(CHAT, json=body("Name a city as JSON.", response_format=wanted, max_tokens=64))
    assert answer.status_code == 200, answer.text
    jsonschema.validate(json.loads(answer.json()["choices"][0]["message"]["content"]), schema)


def test_an_adapter_is_loaded_when_the_service_runs(fleet: Fleet, client: httpx.Client) -> None:
    """The server knew nothing of it when it was started; it is addressed by its name."""
    answer = client.post(CHAT, json=body("Hi", model="third", max_tokens=4))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "third"
    served = httpx.get(f"{fleet.generating}/v1/models", timeout=PATIENCE_S, trust_env=False).json()["data"]
    assert [row["root"] for row in served if row["id"] == "third"] == [str(fleet.adapters["third"])]


def test_vectors_come_from_the_pooling_server(client: httpx.Client) -> None:
    """Unit length, one a text; and the expert is no candidate for chats."""
    answer = client.post("/v1/embeddings", json={"model": "vectors", "input": ["a cat", "a dog"]})
    assert answer.status_code == 200, answer.text
    rows = [row["embedding"] for row in answer.json()["data"]]
    assert [len(row) for row in rows] == [576, 576]
    assert [math.sqrt(sum(value * value for value in row)) for row in rows] == pytest.approx([1, 1], abs=1e-3)


def test_a_client_that_leaves_stops_the_server(fleet: Fleet, client: httpx.Client) -> None:
    """Seen where it counts: in the server's number of requests under way."""
    asked = body("Count up to one thousand.", stream=True, max_tokens=1500, ignore_eos=True)
    with client.stream("POST", CHAT, json=asked) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("data: "))
        assert running(fleet) == 1
    for _ in range(200):
        if running(fleet) == 0:
            break
    assert running(fleet) == 0


def running(fleet: Fleet) -> float:
    """Requests under way on the generating server."""
    text = httpx.get(f"{fleet.generating}/metrics", timeout=PATIENCE_S, trust_env=False).text
    return sum(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("vllm:num_requests_running{")
    )


def test_the_servers_are_shown_as_they_are(client: httpx.Client) -> None:
    """Health and load of each server stand with its expert."""
    experts = {row["id"]: row for row in client.get("/v1/experts").json()}
    assert {name: row["state"] for name, row in experts.items()} == dict.fromkeys(
        ("base", "first", "second", "third", "plain", "one", "two", "vectors"), "up"
    )
    (replica,) = experts["base"]["replicas"]
    assert (replica["healthy"], replica["breaker"]) == (True, "closed")


def test_what_a_server_refuses_is_told_in_its_words(client: httpx.Client) -> None:
    """A prompt that is too long is the caller's to shorten, and opens no breaker."""
    answer = client.post(CHAT, json=body("word " * 3000))
    assert answer.status_code == 400
    assert "2048" in answer.json()["error"]["message"] or "2049" in answer.json()["error"]["message"]
