"""POST /v1/embeddings: what is passed on, what the service answers itself, and what it refuses."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from orchestrator.config.kinds import RetrieverSettings, VllmSettings
from orchestrator.testing import FakeVLLM, ScriptedExpert, WordEmbedder
from tests.experts.vllm.scoring_server import ScoringServer
from tests.service.serving import served

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


@asynccontextmanager
async def embedding(url: str = "http://127.0.0.1:1", **blocks: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The service with a pooling expert at that address, a retriever with an embedder of its own, and a writer."""
    experts = {
        "writer": {"kind": "scripted"},
        "vectors": VllmSettings(model="m", replicas=(url,), runner="pooling", description="for meanings"),
        "shelf": RetrieverSettings(corpus="none.jsonl", embedders=("bm25", "potion")),
    }
    categories = {"math": ["writer"], "general": ["writer"]}
    async with served(ScriptedExpert("writer"), categories=categories, experts=experts, **blocks) as client:
        yield client


async def test_a_request_is_passed_on_byte_for_byte_but_for_the_model() -> None:
    """Specified (issue 5): unknown fields and spacing too, both ways; `model` names the expert in the answer."""
    raw = b'{ "input" : ["caf\\u00e9", "x"],\t"model": "vectors", "priority": 1e0, "truncate_prompt_tokens": 5 }'
    async with ScoringServer() as server, embedding(server.url) as client:
        server.change = lambda _, __: b'{"model" : "m", "data": [ {"embedding":[1.50]} ], "new": 0.10}'
        answer = await client.post("/v1/embeddings", content=raw, headers=JSON)
        assert server.raw == raw.replace(b'"vectors"', b'"m"')
    assert answer.content == b'{"model" : "vectors", "data": [ {"embedding":[1.50]} ], "new": 0.10}'
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


async def test_a_faked_pooling_server_answers_through_the_service() -> None:
    """With the vectors that it has."""
    async with FakeVLLM(models=("m",), runner="pooling") as server, embedding(server.url) as client:
        body = {"model": "vectors", "input": ["one two", "three"]}
        answer = (await client.post("/v1/embeddings", json=body)).json()
    assert (answer["model"], [row["index"] for row in answer["data"]]) == ("vectors", [0, 1])
    assert answer["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model": "other", "input": "x", "model": "vectors"}',
        b'{"\\u006dodel": "vectors", "input": "x"}',
        b'{"input": {"model": "deep"}, "model": "vectors"}',
        b'{"model": "v\\u0065ctors", "input": "x"}',
    ],
)
async def test_no_spelling_reaches_another_model_of_the_server(raw: bytes) -> None:
    """Ours: the server reads the name that we mean, however often and however it stands in the body."""
    async with ScoringServer() as server, embedding(server.url) as client:
        server.refuse = lambda _, body: None if body["model"] == "m" else 404
        server.change = lambda _, __: {"model": "m", "data": []}
        answer = await client.post("/v1/embeddings", content=raw, headers=JSON)
        assert orjson.loads(server.raw) == {**orjson.loads(raw), "model": "m"} or "\\u006d" in raw.decode()
        assert server.seen[-1][1]["model"] == "m"
    assert answer.status_code == 200


async def test_an_embedder_of_the_configuration_answers_by_itself() -> None:
    """In OpenAI's shape; the vectors are those that the router has."""
    texts = ["one two", "three", *(f"text {number}" for number in range(40))]
    async with embedding() as client:
        answer = (await client.post("/v1/embeddings", json={"model": "minilm", "input": texts})).json()
        alone = (await client.post("/v1/embeddings", json={"model": "potion", "input": texts[0]})).json()
    expected = WordEmbedder().embed(texts)
    assert [row["index"] for row in answer["data"]] == list(range(len(texts)))
    assert np.array([row["embedding"] for row in answer["data"]]) == pytest.approx(expected, abs=1e-6)
    assert {row["object"] for row in answer["data"]} == {"embedding"}
    assert (answer["object"], answer["model"], answer["usage"]) == (
        "list",
        "minilm",
        {"prompt_tokens": 0, "total_tokens": 0},
    )
    assert alone["data"][0]["embedding"] == answer["data"][0]["embedding"]


async def test_base64_is_float32_in_little_endian_order() -> None:
    """Specified (OpenAI): what the official client asks for and decodes."""
    async with embedding() as client:
        body = {"model": "minilm", "input": "one two", "encoding_format": "base64"}
        answer = (await client.post("/v1/embeddings", json=body)).json()
    vector = np.frombuffer(base64.b64decode(answer["data"][0]["embedding"]), dtype="<f4")
    assert vector == pytest.approx(WordEmbedder().embed(["one two"])[0])


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"model": "minilm", "input": "x", "dimensions": 8}, 400, "invalid_request", "dimensions"),
        ({"model": "minilm"}, 400, "invalid_request", "input"),
        ({"model": "minilm", "input": []}, 400, "invalid_request", "input"),
        ({"model": "minilm", "input": ""}, 400, "invalid_request", "input"),
        ({"model": "minilm", "input": [1, 2]}, 400, "invalid_request", "input"),
        ({"model": "minilm", "input": ["x"] * 2049}, 400, "invalid_request", "input"),
        ({"model": "minilm", "input": "x", "encoding_format": "bytes"}, 400, "invalid_request", "encoding_format"),
        ({"model": "vectors", "input": "x", "encoding_format": []}, 400, "invalid_request", "encoding_format"),
        ({"input": "x"}, 400, "invalid_request", "model"),
        ({"model": "writer", "input": "x"}, 400, "invalid_request", "model"),
        ({"model": "auto", "input": "x"}, 404, "model_not_found", "model"),
        ({"model": "bm25", "input": "x"}, 404, "model_not_found", "model"),
        ({"model": "vectors", "input": "x"}, 503, "expert_unavailable", None),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """With OpenAI's error body; the field is named."""
    async with embedding() as client:
        answer = await client.post("/v1/embeddings", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


async def test_limits_are_those_of_the_chat_route() -> None:
    """Size, media type, keys."""
    async with embedding(serve={"max_body_bytes": 1024, "keys": "k"}) as client:
        client.headers["authorization"] = "Bearer k"
        large = await client.post("/v1/embeddings", json={"model": "minilm", "input": "x" * 2000})
        media = await client.post("/v1/embeddings", content=b"{}", headers={"content-type": "text/plain"})
        broken = await client.post("/v1/embeddings", content=b"{", headers=JSON)
        method = await client.get("/v1/embeddings")
        del client.headers["authorization"]
        nobody = await client.post("/v1/embeddings", json={"model": "minilm", "input": "x"})
    assert [each.status_code for each in (large, media, broken, method, nobody)] == [413, 415, 400, 405, 401]


@pytest.mark.parametrize("said", [b"<html>", b"[]", b'{"error": {"message": "no"}}'])
async def test_what_is_no_embeddings_is_an_error_of_the_expert(said: bytes) -> None:
    """Ours: a page of some proxy is not passed on as an answer."""
    async with ScoringServer() as server, embedding(server.url) as client:
        server.change = lambda _, __: said
        answer = await client.post("/v1/embeddings", json={"model": "vectors", "input": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "expert_failed")


async def test_a_chat_that_names_an_embedding_expert_is_refused() -> None:
    """The client is told where to go."""
    async with ScoringServer() as server, embedding(server.url) as client:
        body = {"model": "vectors", "messages": [{"role": "user", "content": "math"}]}
        answer = await client.post("/v1/chat/completions", json=body)
        assert server.bodies("/v1/chat/completions") == []
    assert answer.status_code == 400
    assert "/v1/embeddings" in answer.json()["error"]["message"]


async def test_what_embeds_is_listed_and_documented() -> None:
    """GET /v1/models and the OpenAPI document."""
    async with embedding() as client:
        models = {row["id"]: row["description"] for row in (await client.get("/v1/models")).json()["data"]}
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert list(models) == ["auto", "fuse", "writer", "vectors", "shelf", "minilm", "potion"]
    assert models["vectors"] == "for meanings"
    assert paths["/v1/embeddings"]["post"]["requestBody"]["required"]
    assert "/v1/chat/completions" in paths
