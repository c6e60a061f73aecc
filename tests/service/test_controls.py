"""What a request may ask of the router, in its headers or in its body."""

import re
from typing import Any

import anyio
import orjson
import pytest
from anyio.abc import SocketAttribute, SocketStream

from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import InvalidRequest
from orchestrator.experts import Capabilities, Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.service.controls import take_controls
from orchestrator.testing import Reply, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver", "writer"], "verse": ["writer"], "general": ["writer"]}
FUSING = {"math": {"experts": ["solver", "writer"], "plan": "fuse"}, "general": ["writer"]}
PATH = "/v1/chat/completions"


def asked(text: str = "math 1", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def pool() -> list[ScriptedExpert]:
    return [ScriptedExpert(name, *["42"] * 9) for name in ("solver", "writer")]


@pytest.mark.parametrize("form", ["header", "body"])
@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("category", "verse", lambda found: found.headers["x-orchestrator-expert"] == "writer"),
        ("fuse", True, lambda found: found.headers["x-orchestrator-path"] == "fuse"),
        ("max-cost-usd", 1.5, lambda found: found.status_code == 200),
        ("deadline-s", 30, lambda found: found.status_code == 200),
        ("explain", True, lambda found: found.json()["orchestrator"]["choose"]["experts"] == ["solver", "writer"]),
    ],
)
async def test_controls_hold_and_experts_do_not_see_them(form: str, name: str, value: Any, holds: Any) -> None:
    """Specified: headers or body extension, stripped before upstream."""
    experts = pool()
    said = str(value).lower() if isinstance(value, bool) else str(value)
    headers = {f"x-orchestrator-{name}": said} if form == "header" else {}
    fields = {"orchestrator": {name.replace("-", "_"): value}} if form == "body" else {}
    async with served(*experts, categories=CATEGORIES) as client:
        found = await client.post(PATH, json=asked(**fields), headers=headers)
    assert found.status_code == 200
    assert holds(found)
    assert all("orchestrator" not in request.body for expert in experts for request in expert.requests)


async def test_no_header_of_ours_reaches_a_server(tmp_path: Any) -> None:
    """Specified: inbound ones of our prefix are stripped, known or not."""
    received = bytearray()
    body = orjson.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "42"}}]})
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    async def one(stream: SocketStream) -> None:
        async with stream:
            async for piece in stream:
                received.extend(piece)
                await stream.send(answer)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, one)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - of anyio
        site = Site(folder=tmp_path, cache=tmp_path, expert=None, embedder=None)  # type: ignore[arg-type]
        settings = VllmSettings(model="m", replicas=(f"http://127.0.0.1:{port}",))
        async with served(VllmExpert("solver", settings, site), categories={"general": ["solver"]}) as client:
            headers = {"x-orchestrator-category": "general", "x-orchestrator-odd": "1"}
            found = await client.post(PATH, json=asked(), headers=headers)
        group.cancel_scope.cancel()
    assert found.status_code == 200
    assert b"POST /v1/chat/completions" in received
    assert b"x-orchestrator" not in bytes(received).lower()


async def test_fusion_can_be_turned_off() -> None:
    """A plan that would fuse asks its experts one after the other."""
    async with served(*pool(), categories=FUSING) as client:
        fused = await client.post(PATH, json=asked())
        single = await client.post(PATH, json=asked(orchestrator={"fuse": False}))
        torn = await client.post(PATH, json=asked(model="fuse", orchestrator={"fuse": False}))
    assert [one.headers.get("x-orchestrator-path") for one in (fused, single)] == ["fuse", "single"]
    assert (torn.status_code, torn.json()["error"]["param"]) == (400, "fuse")


@pytest.mark.parametrize("model", ["auto", "solver"])
async def test_a_limit_of_the_client_is_a_promise(model: str) -> None:
    """Nobody is asked where everybody would cost more; an expert below the limit is asked where there is one."""
    experts = pool()
    async with served(*experts, categories=CATEGORIES) as client:
        found = await client.post(PATH, json=asked(model=model, orchestrator={"max_cost_usd": 1e-9}))
    assert (found.status_code, found.json()["error"]["param"]) == (400, "max_cost_usd")
    assert re.search(r"would cost about 0\.000\d+", found.json()["error"]["message"])
    assert not experts[0].requests


@pytest.mark.parametrize(
    ("body", "headers", "param"),
    [
        ({"orchestrator": []}, {}, "orchestrator"),
        ({"orchestrator": {"categori": "x"}}, {}, "orchestrator.categori"),
        ({"orchestrator": {"category": 3}}, {}, "category"),
        ({"orchestrator": {"fuse": "on"}}, {}, "fuse"),
        ({"orchestrator": {"max_cost_usd": 0}}, {}, "max_cost_usd"),
        ({"orchestrator": {"deadline_s": float("inf")}}, {}, "deadline_s"),
        ({"orchestrator": {"cost_quality": 2}}, {}, "cost_quality"),
        ({}, {"deadline-s": "soon"}, "deadline_s"),
        ({}, {"fuse": "maybe"}, "fuse"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(body: dict[str, Any], headers: dict[str, str], param: str) -> None:
    """Unknown names, values out of range."""
    scope = {"headers": [(f"x-orchestrator-{name}".encode(), value.encode()) for name, value in headers.items()]}
    with pytest.raises(InvalidRequest) as caught:
        take_controls(scope, dict(body))
    assert caught.value.param == param


def test_a_header_stands_above_the_body() -> None:
    """And its object above the fields of old."""
    body = {"orchestrator": {"cost_quality": 0.2, "category": "a"}, "cost_quality": 0.3, "progress": True}
    found = take_controls({"headers": [(b"x-orchestrator-category", b"b")]}, body)
    assert (found.controls.category, found.controls.cost_quality, found.progress) == ("b", 0.2, True)
    assert body == {}


async def test_an_unknown_category_is_refused_before_anybody_is_asked() -> None:
    """With those that there are."""
    async with served(*pool(), categories=CATEGORIES) as client:
        found = await client.post(PATH, json=asked(), headers={"x-orchestrator-category": "prose"})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "category_not_found")
    assert "Known: math, verse, general" in found.json()["error"]["message"]


async def test_an_explained_stream_ends_with_its_decision_in_a_comment() -> None:
    """Which clients skip; the events before it are as ever."""
    async with served(*pool(), categories=CATEGORIES) as client:
        text = (await client.post(PATH, json=asked(stream=True, orchestrator={"explain": True}))).text
    *_, comment, done, _ = text.split("\n\n")
    assert done == "data: [DONE]"
    assert orjson.loads(comment.removeprefix(": decision "))["expert"] == "solver"


async def test_the_debug_header_brings_more_headers() -> None:
    """What decided, who was next, and why this expert; without it they stay out."""
    async with served(*pool(), categories=CATEGORIES) as client:
        few = await client.post(PATH, json=asked())
        more = await client.post(PATH, json=asked(), headers={"x-orchestrator-debug": "true"})
    new = {name.removeprefix("x-orchestrator-") for name in set(more.headers) - set(few.headers)}
    expected = {"method", "categorize-ms", "context", "category-set", "runner-up", "margin", "choose-ms", "reason"}
    assert expected | {"experts", "verdict"} <= new
    assert more.headers["x-orchestrator-runner-up"] == "verse"


async def test_the_deadline_of_a_request_ends_it() -> None:
    """Sooner than the service's own."""
    hanging = ScriptedExpert("solver", Reply(pieces=("x",), before=anyio.Event()))
    async with served(hanging, categories={"general": ["solver"]}) as client:
        with anyio.fail_after(5):
            found = await client.post(PATH, json=asked(), headers={"x-orchestrator-deadline-s": "0.1"})
    assert (found.status_code, found.json()["error"]["type"]) == (504, "timeout_error")


async def test_the_promise_holds_where_nobody_else_can_be_asked() -> None:
    """One expert takes no tools, the other costs too much: better over another limit than over the client's."""
    costs = {"solver": {"kind": "scripted"}, "writer": {"kind": "scripted", "cost": {"input": 1e6, "output": 1e6}}}
    plain = ScriptedExpert("solver", "42", capabilities=Capabilities(tools=False))
    dear = ScriptedExpert("writer", "43")
    tools = [{"type": "function", "function": {"name": "f"}}]
    categories = {"math": ["writer", "solver"], "general": ["writer"]}
    async with served(plain, dear, categories=categories, experts=costs) as client:
        found = await client.post(PATH, json=asked(tools=tools, orchestrator={"max_cost_usd": 0.001}))
    assert found.headers["x-orchestrator-expert"] == "solver"
    assert not dear.requests
