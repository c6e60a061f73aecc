"""Agents that send garbage to /mcp: errors of the protocol, never a defect of ours, and nothing that shows one."""

import logging
from copy import deepcopy
from random import Random
from typing import Any

import httpx
import pytest

from orchestrator.testing import ScriptedExpert
from tests.service.agents import JSON, envelope, post, serving_agents

pytestmark = pytest.mark.anyio

LEGACY = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_experts", "arguments": {}}}
PARSE, INVALID, METHOD, PARAMS = -32700, -32600, -32601, -32602
MISMATCH, VERSION = -32020, -32022
MODERN = {"mcp_protocol_version": "2026-07-28"}


def modern(method: str, name: str | None = None, **headers: str) -> dict[str, str]:
    """The headers of a request of 2026-07-28."""
    named = {} if name is None else {"mcp_name": name}
    return {**MODERN, "mcp_method": method, **named, **headers}


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC error, from a body or from the only event of a stream."""
    text = response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        (text,) = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    found: dict[str, Any] = httpx.Response(200, text=text).json()
    assert found["jsonrpc"] == "2.0"
    return dict(found["error"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, PARSE),
        (b"{", 400, PARSE),
        (b"\xff\xfe\x00", 400, PARSE),
        (b'{"a": "\\ud800"}', 400, PARSE),
        (b"[" * 100_000, 400, PARSE),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, PARSE),
        (b"[]", 400, INVALID),
        (b"null", 400, INVALID),
        (b'"tools/list"', 400, INVALID),
        ([LEGACY, LEGACY], 400, INVALID),
    ],
)
@pytest.mark.parametrize("headers", [{}, MODERN], ids=["legacy", "modern"])
async def test_what_is_no_message_is_refused(body: Any, status: int, code: int, headers: dict[str, str]) -> None:
    """Specified by JSON-RPC: parse errors and invalid requests, with an id of null."""
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
        response = await post(url, body, **headers)
    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert response.json()["id"] is None


@pytest.mark.parametrize("media", ["text/plain", "multipart/form-data; boundary=x", "application/jsonx", ""])
async def test_only_json_is_read(media: str) -> None:
    """Specified: any other content type is 415."""
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
        response = await post(url, LEGACY, content_type=media)
    assert (response.status_code, error_of(response)["code"]) == (415, INVALID)


async def test_bodies_have_a_limit() -> None:
    """Specified: `serve.max_body_bytes`, as for REST, however long the SDK's own limit is."""
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer"), serve={"max_body_bytes": 2048}) as (
        url,
        _,
    ):
        response = await post(url, b'{"pad": "%s"}' % (b"x" * 3000))
        fits = await post(url, b'{"pad": "%s"}' % (b"x" * 1000))
    assert (response.status_code, error_of(response)["code"]) == (413, INVALID)
    assert "max_body_bytes" in error_of(response)["message"]
    assert fits.status_code == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_is_served(method: str) -> None:
    """Specified: no stream of the server's own and no session to end; clients take 405 for that."""
    async with (
        serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _),
        httpx.AsyncClient(trust_env=False) as client,
    ):
        response = await client.request(method, f"{url}/mcp", headers=JSON)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert error_of(response)["code"] == INVALID


async def test_an_unknown_version_is_told_the_known_ones() -> None:
    """Specified by 2026-07-28: UnsupportedProtocolVersion."""
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
        for version in ("1999-01-01", "2099-12-31", "garbage"):
            asked = envelope("tools/list")
            asked["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = version
            response = await post(url, asked, **modern("tools/list", mcp_protocol_version=version))
            assert (response.status_code, error_of(response)["code"]) == (400, VERSION)
            assert "2026-07-28" in error_of(response)["data"]["supported"]


async def test_headers_that_say_something_else_are_refused() -> None:
    """Specified by 2026-07-28: HeaderMismatch, since those on the way decide by the headers."""
    asked = envelope("tools/call", name="list_experts", arguments={})
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
        right = await post(url, asked, **modern("tools/call", "list_experts"))
        wrong = [
            await post(url, asked, **modern("tools/list", "list_experts")),
            await post(url, asked, **modern("tools/call", "ask")),
            await post(url, asked, **modern("tools/call")),
            await post(url, asked, **MODERN),
        ]
    assert right.status_code == 200
    assert [(one.status_code, error_of(one)["code"]) for one in wrong] == [(400, MISMATCH)] * 4


@pytest.mark.parametrize("method", ["tools/nope", "", "sampling/createMessage", "subscriptions/listen", "initialize"])
async def test_unknown_methods_are_refused(method: str) -> None:
    """Specified: method not found; this server has nothing to subscribe to."""
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
        response = await post(url, envelope(method, notifications={}), **modern(method))
        legacy = await post(url, {"jsonrpc": "2.0", "id": 1, "method": method or "nope", "params": {}})
    assert response.status_code == 404
    assert error_of(response)["code"] == METHOD
    assert error_of(legacy)["code"] == (PARAMS if method == "initialize" else METHOD)


async def test_a_request_without_its_envelope_is_refused() -> None:
    """Specified by 2026-07-28: each request says its version and what its client can do."""
    bare = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
        response = await post(url, bare, **modern("tools/list"))
    assert response.status_code == 400
    assert error_of(response)["code"] in {PARAMS, MISMATCH}


async def test_garbage_of_the_right_shape_never_shows_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    """Ours: 200 messages of both eras, each with something wrong somewhere (seed 8): no 5xx, no trace, none logged."""
    random = Random(8)  # noqa: S311 - which garbage
    caplog.set_level(logging.ERROR)
    experts = ScriptedExpert("solver", "42"), ScriptedExpert("writer", "roses")
    async with serving_agents(*experts) as (url, _), httpx.AsyncClient(trust_env=False, timeout=20) as client:
        for _ in range(200):
            body, headers = garbage(random)
            response = await client.post(f"{url}/mcp", json=body, headers=headers)
            assert response.status_code < 500, (body, headers, response.text)
            assert "Traceback" not in response.text, (body, response.text)
    assert [record.getMessage() for record in caplog.records] == []


VALUES: tuple[Any, ...] = (None, True, -1, 0, 1.5, 10**30, "", "x" * 500, "../..", "\u0000", [], [[]], {}, {"": {}})
METHODS = ("tools/list", "tools/call", "resources/read", "resources/list", "server/discover", "ping", "prompts/get")


def garbage(random: Random) -> tuple[dict[str, Any], dict[str, str]]:
    """A message that was right once, and headers that may fit it."""
    method = random.choice(METHODS)
    named: dict[str, Any] = {"tools/call": {"name": "ask", "arguments": {"query": "math"}}}.get(method, {})
    if method == "resources/read":
        named = {"uri": "orchestrator://experts"}
    body = deepcopy(envelope(method, **named))
    headers = {**JSON}
    if random.random() < 0.6:
        headers |= {"mcp-protocol-version": random.choice(["2026-07-28", "2025-06-18", "2025-11-25", "1"])}
        headers |= {"mcp-method": method} | ({"mcp-name": "ask"} if method == "tools/call" else {})
    if random.random() < 0.3:
        headers["mcp-session-id"] = random.choice(["", "a", "x" * 300])
    for _ in range(random.randint(1, 3)):
        spoil(body, random)
    return body, headers


def spoil(value: dict[str, Any], random: Random) -> None:
    """Change one thing, at any depth."""
    while True:
        key = random.choice([*value, "id", "params"])
        below = value.get(key)
        if not isinstance(below, dict) or not below or random.random() < 0.4:
            break
        value = below
    if random.random() < 0.3:
        value.pop(key, None)
    else:
        value[key] = random.choice(VALUES)
