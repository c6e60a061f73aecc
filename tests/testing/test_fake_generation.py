"""Text of the faked server: its checks, limits and forms, and how likely it finds what it reads."""

import json
from typing import Any

import httpx
import pytest

from orchestrator.testing import Answer, FakeVLLM, chat_prompt, token_id, token_logprob, tokens_of

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "hi there"}]
BODY = {"model": "fake-model", "messages": MESSAGES}
CHAT, OLD = "/v1/chat/completions", "/v1/completions"


async def answered(body: dict[str, Any], path: str = CHAT, **settings: Any) -> httpx.Response:
    """The answer of a server to one request."""
    async with FakeVLLM(**settings) as server, httpx.AsyncClient(base_url=server.url) as client:
        return await client.post(path, json={"model": "fake-model", **body})


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "param"),
    [
        (CHAT, {}, 400, "Bad Request", "body.messages"),
        (CHAT, {"messages": ["hi"]}, 400, "Bad Request", "body.messages"),
        (CHAT, {"messages": MESSAGES, "model": "x"}, 404, "NotFoundError", "model"),
        (CHAT, {"messages": MESSAGES, "temperature": -1}, 400, "BadRequestError", "temperature"),
        (CHAT, {"messages": [{"role": "user", "content": "a " * 99}]}, 400, "BadRequestError", "input_tokens"),
        (CHAT, {"messages": MESSAGES, "max_tokens": 60}, 400, "BadRequestError", "max_tokens"),
        (CHAT, {"messages": MESSAGES, "prompt_logprobs": 21}, 400, "BadRequestError", "prompt_logprobs"),
        (CHAT, {"messages": MESSAGES, "prompt_logprobs": -2}, 400, "BadRequestError", "prompt_logprobs"),
        (CHAT, {"messages": MESSAGES, "prompt_logprobs": 1, "stream": True}, 400, "BadRequestError", "prompt_logprobs"),
        (OLD, {}, 400, "Bad Request", "body.prompt"),
        (OLD, {"prompt": "hi", "max_tokens": 0}, 400, "BadRequestError", "max_tokens"),
        (OLD, {"prompt": [7]}, 400, "BadRequestError", "prompt"),
    ],
)
async def test_bad_requests_are_refused_as_vllm_refuses_them(
    path: str, body: dict[str, Any], status: int, kind: str, param: str
) -> None:
    """Specified (vLLM): the status, the type and the parameter."""
    answer = await answered(body, path, max_model_len=64)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"], error["code"]) == (status, kind, param, status)


async def test_max_tokens_ends_an_answer_for_its_length() -> None:
    """Streamed or not; the usage tells what came."""
    whole = (await answered({**BODY, "max_tokens": 2})).json()
    streamed = await answered({**BODY, "max_completion_tokens": 1, "stream": True})
    assert whole["choices"][0]["message"]["content"] == "".join(Answer().pieces[:2])
    assert (whole["choices"][0]["finish_reason"], whole["usage"]["completion_tokens"]) == ("length", 2)
    assert b'"finish_reason": "length"' in streamed.content


async def test_usage_counts_the_tokens_of_the_template() -> None:
    """Where the answer does not say otherwise."""
    usage = (await answered(BODY, answer=Answer(input_tokens=None))).json()["usage"]
    assert usage["prompt_tokens"] == len(tokens_of(chat_prompt(MESSAGES)))


async def test_chat_tells_how_likely_its_prompt_was() -> None:
    """Token by token of the whole template, the first without a value; predicted by the public functions."""
    scores = (await answered({**BODY, "prompt_logprobs": 0})).json()["prompt_logprobs"]
    tokens = tokens_of(chat_prompt(MESSAGES))
    assert scores[0] is None
    assert [next(iter(entry.values())) for entry in scores[1:]] == [
        {"logprob": token_logprob("fake-model", (), token), "rank": 1, "decoded_token": token} for token in tokens[1:]
    ]
    assert [list(entry) for entry in scores[1:]] == [[str(token_id(token))] for token in tokens[1:]]


async def test_final_message_is_continued_where_asked() -> None:
    """An answer is scored as the assistant's turn that was begun."""
    messages = [*MESSAGES, {"role": "assistant", "content": "Paris"}]
    fields = {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    scores = (await answered({**fields, "prompt_logprobs": 0})).json()["prompt_logprobs"]
    both = await answered({**fields, "add_generation_prompt": True})
    said = "".join(next(iter(entry.values()))["decoded_token"] for entry in scores[1:])
    assert said.endswith("<|im_start|>assistant\nParis")
    assert both.status_code == 400


async def test_echoed_completion_tells_the_same_as_prompt_logprobs() -> None:
    """The two ways to score a text with vLLM; several prompts have a choice each."""
    prompts = ["The capital of France", "is Paris."]
    echoed = (await answered({"prompt": prompts, "echo": True, "logprobs": 0, "max_tokens": 0}, OLD)).json()
    asked = (await answered({"prompt": prompts, "prompt_logprobs": 0, "max_tokens": 1}, OLD)).json()
    assert [choice["text"] for choice in echoed["choices"]] == prompts
    assert [choice["index"] for choice in asked["choices"]] == [0, 1]
    for old, new in zip(echoed["choices"], asked["choices"], strict=True):
        values = [next(iter(entry.values()))["logprob"] for entry in new["prompt_logprobs"][1:]]
        assert old["logprobs"]["token_logprobs"] == [None, *values]
        assert "".join(old["logprobs"]["tokens"]) == old["text"]
        assert [old["text"].index(token, at) for token, at in zip(*places(old["logprobs"]), strict=True)] == old[
            "logprobs"
        ]["text_offset"]


def places(logprobs: dict[str, Any]) -> tuple[list[str], list[int]]:
    return logprobs["tokens"], logprobs["text_offset"]


async def test_tokens_may_be_given_as_numbers() -> None:
    """One prompt of numbers is the text of these tokens."""
    ids = [token_id(token) for token in tokens_of("The capital")]
    fields = {"echo": True, "logprobs": 1, "max_tokens": 1}
    numbers = await answered({"prompt": ids, **fields}, OLD)
    nested = await answered({"prompt": [ids], **fields}, OLD)
    text = await answered({"prompt": "The capital", **fields}, OLD)
    assert numbers.json() == nested.json() == text.json()


async def test_rivals_of_a_token_are_ranked() -> None:
    """The rank counts those that are likelier; the token itself is always listed."""
    choice = (await answered({"prompt": "The capital", "prompt_logprobs": 3, "max_tokens": 1}, OLD)).json()["choices"][
        0
    ]
    for entry in choice["prompt_logprobs"][1:]:
        ranked = sorted(entry.values(), key=lambda rated: rated["rank"])
        assert [rated["logprob"] for rated in ranked] == sorted((rated["logprob"] for rated in ranked), reverse=True)
        assert len(entry) in {3, 4}


async def test_likelihoods_are_the_tests_to_set_and_differ_between_models() -> None:
    """A function of the model, what came before, and the token."""
    async with FakeVLLM(models=("a", "b")) as server, httpx.AsyncClient(base_url=server.url) as client:
        fields = {"prompt": "one two", "prompt_logprobs": 0, "max_tokens": 1}
        bodies = [(await client.post(OLD, json={"model": model, **fields})).json() for model in ("a", "b")]
        server.logprob = lambda model, context, token: -float(len(model) + len(context) + len(token))
        body = (await client.post(OLD, json={"model": "a", **fields})).json()
    assert bodies[0]["choices"][0]["prompt_logprobs"] != bodies[1]["choices"][0]["prompt_logprobs"]
    assert [rated["logprob"] for rated in body["choices"][0]["prompt_logprobs"][1].values()] == [-6.0]


async def test_completions_are_streamed() -> None:
    """Pieces, an end, the usage, [DONE]."""
    fields = {"prompt": "hi", "stream": True, "stream_options": {"include_usage": True}}
    answer = await answered(fields, OLD)
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    chunks = [json.loads(event) for event in events[:-1]]
    assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == Answer().text
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]] == [None] * 3 + ["stop"]
    assert (chunks[-1]["usage"]["total_tokens"], events[-1]) == (4, "[DONE]")


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kind": {"enum": ["a", "b"]},
        "age": {"type": "integer", "minimum": 3},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}, "minItems": 2},
        "sure": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "$defs": {"part": {"const": 1.5}},
}


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        {"structured_outputs": {"json": SCHEMA}},
        {"structured_outputs": {"json": json.dumps(SCHEMA)}},
    ],
)
async def test_schema_gets_its_plainest_value(fields: dict[str, Any]) -> None:
    """However the schema is sent."""
    body = (await answered({**BODY, **fields})).json()
    content = body["choices"][0]["message"]["content"]
    assert json.loads(content) == {"name": "text", "kind": "a", "age": 3, "parts": [1.5, 1.5], "sure": False}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes"),
        ({"structured_outputs": {"choice": ["yes", "Paris"]}}, "Paris"),
        ({"response_format": {"type": "json_object"}}, "{}"),
        ({"response_format": {"type": "text"}}, "Paris"),
        ({"guided_json": SCHEMA}, "Paris"),
    ],
)
async def test_form_is_kept_and_the_answer_stays_where_it_fits(fields: dict[str, Any], text: str) -> None:
    """Specified (vLLM): `guided_json` is ignored without a word."""
    body = (await answered({**BODY, **fields}, answer=Answer(pieces=("Par", "is")))).json()
    assert body["choices"][0]["message"]["content"] == text


async def test_answer_that_is_json_already_is_not_replaced() -> None:
    """A test may script what the model says under a schema."""
    fields = {"structured_outputs": {"json": SCHEMA}}
    body = (await answered({**BODY, **fields}, answer=Answer(pieces=('{"name":', ' "x"}')))).json()
    assert body["choices"][0]["message"]["content"] == '{"name": "x"}'
