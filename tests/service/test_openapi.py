"""The OpenAPI document is complete and true: what it names is there, what it shows works, and nothing is left out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from starlette.routing import Route

from orchestrator.errors import (
    ExpertBusy,
    ExpertFailed,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.service.app import create_app
from orchestrator.service.headers import PREFIX
from orchestrator.service.routes import router
from orchestrator.testing import Reply, ScriptedExpert
from orchestrator.types import Passage
from tests.flowing import flowing
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "books": ["shelf"], "general": ["writer"]}
READERS = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
"""Of the document: they are no part of it."""
Json = dict[str, Any]


class Shelf(ScriptedExpert):
    """A retriever in memory."""

    async def search(self, query: str, *, top_k: int) -> list[Passage]:
        names = [f"{self.id}-{number}" for number in range(1, top_k + 1)]
        return [
            Passage(expert=self.id, document=name, title=name, text=query, score=1.0, rank=rank, start=0, end=1)
            for rank, name in enumerate(names, start=1)
        ]


@asynccontextmanager
async def service(**blocks: Any) -> AsyncIterator[httpx.AsyncClient]:
    experts = [
        ScriptedExpert("solver", *["732.7"] * 40),
        Shelf("shelf", "moon"),
        ScriptedExpert("writer", *["hi"] * 40),
    ]
    async with served(*experts, categories=CATEGORIES, **blocks) as client:
        yield client


async def document_of(client: httpx.AsyncClient) -> Json:
    found: Json = (await client.get("/openapi.json")).json()
    return found


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def check(document: Json, operation: Json, response: httpx.Response) -> None:
    """Status, media type, headers and body are as the document has them."""
    documented = operation["responses"][str(response.status_code)]
    media = response.headers["content-type"].partition(";")[0]
    assert media in documented["content"], (operation["operationId"], media)
    for name, header in documented.get("headers", {}).items():
        assert name in response.headers or not header.get("required"), name
    told = {name for name in response.headers if name.startswith(PREFIX)}
    assert told <= set(documented.get("headers", {}))
    if media == "text/event-stream":
        check_events(document, documented["content"][media]["itemSchema"], response.text)
        return
    value = response.json() if media == "application/json" else response.text
    validator(document, documented["content"][media]["schema"]).validate(value)


def check_events(document: Json, schema: Json, text: str) -> None:
    """Every event is as its schema has it, and what it holds too."""
    held = schema["properties"]["data"]
    held = held if "contentSchema" in held else held["anyOf"][1]
    *found, rest = text.replace("\r\n", "\n").split("\n\n")
    assert found
    assert not rest
    for event in found:
        fields = dict(line.split(": ", 1) for line in event.split("\n"))
        validator(document, schema).validate(fields)
        if fields["data"] != "[DONE]":
            validator(document, held["contentSchema"]).validate(json.loads(fields["data"]))


def validator(document: Json, schema: Json) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


async def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    """With its methods; HEAD comes with GET."""
    async with flowing(ScriptedExpert("writer"), categories={"general": ["writer"]}) as engine:
        app: Any = create_app(engine.config, flowing)  # type: ignore[arg-type]  # never started
        rest: FastAPI = app._app
        there = {
            (route.path, method.lower())
            for route in (*rest.routes, *router.routes)
            if isinstance(route, Route) and route.path not in READERS
            for method in (route.methods or {"POST"}) - {"HEAD"}
        }
    documented = {(path, method) for path, method, _ in operations(rest.openapi())}
    assert documented == there


async def test_the_document_is_a_valid_one() -> None:
    """Every schema is one, every reference leads somewhere, every operation has its own name, summary and tag."""
    async with service() as client:
        document = await document_of(client)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}
        for response in operation["responses"].values():
            assert response["description"]
            for link in response.get("links", {}).values():
                assert link["operationId"] in names


def references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


async def test_every_example_is_sent_and_answered_as_documented(tmp_path: Path) -> None:
    """Each body is valid by its schema, is accepted, and what comes back is what the document promises."""
    sent = 0
    async with service(usage={"file": str(tmp_path / "usage.jsonl")}) as client:
        document = await document_of(client)
        asked = await client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "math"}]})
        decision = asked.headers[f"{PREFIX}decision-id"]
        for path, method, operation in operations(document):
            if "requestBody" not in operation:
                continue
            given = operation["requestBody"]["content"]["application/json"]
            headers = {
                one["name"]: one["schema"]["const"] for one in operation.get("parameters", ()) if one["required"]
            }
            assert given["examples"], path
            for example in given["examples"].values():
                validator(document, given["schema"]).validate(example["value"])
                body = example["value"] | ({"decision": decision} if path == "/v1/feedback" else {})
                response = await client.request(method, path, json=body, headers=headers)
                sent += 1
                assert response.is_success, (path, body, response.text)
                check(document, operation, response)
                streamed = response.headers["content-type"].startswith("text/event-stream")
                assert streamed == bool(body.get("stream")) or path == "/mcp"
    assert sent >= 15


async def test_every_get_answers_as_documented() -> None:
    """Of what is there and of what is not."""
    async with service() as client:
        document = await document_of(client)
        asked = await client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "math"}]})
        known = {"{model}": "auto", "{decision_id}": asked.headers[f"{PREFIX}decision-id"]}
        for path, method, operation in operations(document):
            if method != "get":
                continue
            for found in (known, dict.fromkeys(known, "nobody")):
                place = path
                for name, value in found.items():
                    place = place.replace(name, value)
                response = await client.get(place)
                check(document, operation, response)


async def test_examples_of_answers_fit_their_schemas() -> None:
    """What the document shows of an answer is one."""
    async with service() as client:
        document = await document_of(client)
    shown = 0
    for _, _, operation in operations(document):
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                if "example" in content:
                    if "itemSchema" in content:
                        check_events(document, content["itemSchema"], content["example"])
                    else:
                        validator(document, content["schema"]).validate(content["example"])
                    shown += 1
    assert shown >= 4


FAILURES = {
    400: ExpertRejected("solver", "too long"),
    429: ExpertBusy("solver", "all places are taken", retry_after_s=2),
    502: ExpertFailed("solver", "broke"),
    503: ExpertUnavailable("solver", "nobody there", retry_after_s=3),
    504: ExpertTimeout("solver", "too slow"),
}
BODIES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "math"}]},
    "/v1/responses": {"input": "math"},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "math"}]},
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("status", FAILURES)
async def test_a_failing_expert_is_answered_as_documented(path: str, status: int) -> None:
    """Each status in each form, with the headers of the decision and with Retry-After where it is known."""
    broken = ScriptedExpert("solver", *[Reply(error=FAILURES[status])] * 9)
    async with served(
        broken, ScriptedExpert("writer"), categories={"math": ["solver"], "general": ["writer"]}
    ) as client:
        document = await document_of(client)
        response = await client.post(path, json=BODIES[path] | {"model": "solver"})
    assert response.status_code == status
    check(document, document["paths"][path]["post"], response)
    assert f"{PREFIX}decision-id" in response.headers
    assert ("retry-after" in response.headers) == (status in {429, 503})


MISTAKES: list[tuple[str, int, Json]] = [
    ("unknown model", 404, {"json": {"model": "nobody"}}),
    ("no JSON", 400, {"content": b"{", "headers": {"content-type": "application/json"}}),
    ("another type", 415, {"content": b"{}", "headers": {"content-type": "text/plain"}}),
    ("too large", 413, {"content": b" " * 2000, "headers": {"content-type": "application/json"}}),
]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(("status", "request_"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES])
async def test_a_mistake_is_answered_as_documented(path: str, status: int, request_: Json) -> None:
    """Each surface in its own form."""
    if "json" in request_:
        request_ = {"json": BODIES[path] | request_["json"]}
    async with service(serve={"max_body_bytes": 1024}) as client:
        document = await document_of(client)
        response = await client.post(path, **request_)
    assert response.status_code == status
    check(document, document["paths"][path]["post"], response)


async def test_without_a_key_every_guarded_operation_answers_401_as_documented() -> None:
    """And those that are open say so."""
    async with service(serve={"keys": "alpha"}) as client:
        document: Json = (await client.get("/openapi.json", headers={"x-api-key": "alpha"})).json()
        assert set(document["components"]["securitySchemes"]) == {"bearer", "x-api-key"}
        for path, method, operation in operations(document):
            response = await client.request(method, path)
            assert (response.status_code == 401) == (operation.get("security") != [])
            check(document, operation, response)


async def test_without_keys_the_document_asks_for_none() -> None:
    """No scheme, no 401; and no agents where they are off."""
    async with service(serve={"mcp": False}) as client:
        document = await document_of(client)
    assert "securitySchemes" not in document["components"]
    assert "security" not in document
    assert not any("401" in operation["responses"] for _, _, operation in operations(document))
    assert "/mcp" not in document["paths"]


async def test_a_wrong_method_is_refused_with_those_that_are_taken() -> None:
    """As the document's description says."""
    async with service() as client:
        document = await document_of(client)
        for path, item in document["paths"].items():
            response = await client.request("PATCH", path.replace("{", "").replace("}", ""))
            assert response.status_code == 405, path
            assert {method.strip().lower() for method in response.headers["allow"].split(",")} - {"head"} == set(item)
            assert response.json()["error"]["message"]
